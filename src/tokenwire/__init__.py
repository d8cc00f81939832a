"""The Python backend behind a chat hook."""

__version__ = "0.1.0"
