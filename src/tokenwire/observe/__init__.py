"""Seeing what the server does, and nothing that is secret: logs, metrics, traces (docs/observing.md)."""
