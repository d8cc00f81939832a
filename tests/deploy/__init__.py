"""Deploys: servers that are replaced by others while people read."""
