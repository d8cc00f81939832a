"""The scenarios. A further one is one more file here: a coroutine function with the decorator `scenario`."""

import pkgutil
from importlib import import_module

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
