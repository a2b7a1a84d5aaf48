"""Packages that come with an extra: where one is missing, the error says the command to type."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from headrace.errors import ConfigError


def command(extra: str) -> str:
    """What installs an extra, as a shell takes it: brackets unquoted mean something to zsh.

    >>> command("static")
    "pip install 'headrace[static]'"
    """
    return f"pip install 'headrace[{extra}]'"


def need(module: str, extra: str, what: str) -> Any:
    """Import a package of an extra.

    Args:
        module: whom to import.
        extra: which extra brings it.
        what: what needs it, for the message.

    Raises:
        ConfigError: it is not installed.

    >>> need("nosuch", "dataframe", "to_nosuch()")
    Traceback (most recent call last):
        ...
    headrace.errors.ConfigError: to_nosuch() needs nosuch, which is not installed: pip install 'headrace[dataframe]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise ConfigError(f"{what} needs {module}, which is not installed: {command(extra)}") from None
