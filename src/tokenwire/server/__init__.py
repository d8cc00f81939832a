"""The ASGI side: requests in, event streams out."""
