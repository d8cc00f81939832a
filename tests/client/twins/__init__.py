"""The Python chat beside the real JavaScript one: the same scripts, the same messages after every event."""
