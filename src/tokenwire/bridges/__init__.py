"""Agents of other frameworks as agents of tokenwire. Each module needs its extra, and nothing here imports any."""
