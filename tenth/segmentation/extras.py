"""Packages that only some users need: imported when they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from tenth.errors import ConfigurationError


def need(package: str, extra: str, user: str) -> ModuleType:
    """Import a package of one of our extras.

    Parameters
    ----------
    package : str
        Such as ``"onnxruntime"``.
    extra : str
        The extra that installs it, such as ``"onnx"``.
    user : str
        What needs it, in the plural.

    Raises
    ------
    ConfigurationError
        When it cannot be imported.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigurationError(
            f"The package {package} cannot be imported ({error}), and {user} need it. "
            f"Install it: pip install 'tenth[{extra}]'"
        ) from error
