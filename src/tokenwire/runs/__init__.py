"""Runs: started once, logged before delivered, read by many, ended exactly once."""
