"""The operator's configuration: a TOML file, or what the environment says without one.

Unknown keys are errors that name their path. Keys of providers come from environment variables only.
"""

from .auth import Auth
from .disconnect import CHAT_ROUTES, Disconnect
from .limits import Limits, Runs
from .load import Config, Cors, File, load
from .models import EMBEDDED, ModelTable
from .personas import Persona, PersonaTable
from .policy import ModelPolicy, PersonaPolicy, Policy

__all__ = [
    "CHAT_ROUTES",
    "EMBEDDED",
    "Auth",
    "Config",
    "Cors",
    "Disconnect",
    "File",
    "Limits",
    "ModelPolicy",
    "ModelTable",
    "Persona",
    "PersonaPolicy",
    "PersonaTable",
    "Policy",
    "Runs",
    "load",
]
