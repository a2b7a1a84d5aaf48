"""Where a command's store is: a file that is there, since a command that looks into a store must not make a new one."""

from __future__ import annotations

from pathlib import Path

from headrace.errors import ConfigError

__all__ = ["existing"]


def existing(url: str, what: str, made_by: str) -> str:
    """Check that a store is there, and return its URL.

    Args:
        url: `sqlite:///FILE`, or the file alone; what is on a server is left to the store itself.
        what: What the store is, as "queue".
        made_by: The class that writes it, as "RequestQueue".

    Returns:
        The URL.

    Raises:
        ConfigError: There is no such file, or the URL names this process's memory.

    Example:
        >>> existing("memory://", "ledger", "CostTracker")
        Traceback (most recent call last):
        headrace.errors.ConfigError: a ledger in memory ends with its process: give sqlite:///FILE
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        file, url = Path(url), f"sqlite:///{url}"
    elif scheme == "sqlite":
        file = Path(rest.removeprefix("/"))
    elif scheme == "memory":
        raise ConfigError(f"a {what} in memory ends with its process: give sqlite:///FILE")
    else:
        return url
    if not file.is_file():
        raise ConfigError(f"there is no {what} at {file}: give the file that {made_by}(url='sqlite:///...') writes")
    return url
