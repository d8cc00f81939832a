"""Keys that a request may bring of its own."""

from ..errors import ConfigError
from ..providers.presets import PRESETS
from .table import Table


class Byok(Table, frozen=True):
    """``[byok]``: whose providers are asked with the key that a request brings, where it brings one."""

    providers: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises :class:`ConfigError`."""
        for name in self.providers:
            if name not in PRESETS:
                raise ConfigError(f"byok.providers: {name!r} is not one of {', '.join(PRESETS)}")
