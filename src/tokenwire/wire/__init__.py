"""The client protocols, as sans-IO codecs: bytes in, values out, no await and no socket.

Server and client share them. They know :mod:`tokenwire.events` and :mod:`tokenwire.messages`, and nothing of runs.
"""
