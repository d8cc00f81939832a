"""How to ask a model: sans-IO codecs for the APIs, and the only sockets that go upstream."""
