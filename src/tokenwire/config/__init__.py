"""The operator's configuration: a TOML file, or what the environment says without one.

Unknown keys are errors that name their path. Keys of providers come from environment variables only.
"""

from .disconnect import CHAT_ROUTES, Disconnect
from .limits import Limits, Runs
from .load import Config, Cors, File, load
from .models import EMBEDDED, ModelTable
from .personas import Persona
from .policy import Policy

__all__ = [
    "CHAT_ROUTES",
    "EMBEDDED",
    "Config",
    "Cors",
    "Disconnect",
    "File",
    "Limits",
    "ModelTable",
    "Persona",
    "Policy",
    "Runs",
    "load",
]
