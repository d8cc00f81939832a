"""What of the configuration is there for a principal."""

import msgspec

from ..config import Config
from .principal import Scopes


def offered_to(config: Config, scopes: Scopes) -> Config:
    """The configuration as if it had only the models and personas that the scopes name.

    The default model is still the default where it is among them, else the first one that they name. There may be
    none.
    """
    if scopes.models is None and scopes.personas is None:
        return config
    models, personas, default = config.models, config.personas, config.default_model
    if scopes.models is not None:
        models = {name: models[name] for name in scopes.models if name in models}
        default = default if default in models else next(iter(models), "")
    if scopes.personas is not None:
        personas = {name: persona for name, persona in personas.items() if name in scopes.personas}
    return msgspec.structs.replace(config, models=models, personas=personas, default_model=default)
