"""Signatures as they go through clients: marked with the bridge they are of, so that no other one is given them."""


class Seal:
    """One bridge's mark. Another bridge, or a provider, makes nothing of what it has sealed."""

    def __init__(self, bridge: str) -> None:
        self._mark = f"{bridge}:"

    def seal(self, value: str) -> str:
        """A signature for clients to carry."""
        return self._mark + value

    def unseal(self, signature: str | None) -> str | None:
        """What was sealed; ``None`` where it was not here. A client may have made it up."""
        if signature is None or not signature.startswith(self._mark):
            return None
        return signature.removeprefix(self._mark)
