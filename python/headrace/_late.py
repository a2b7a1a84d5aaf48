"""Modules that are imported when they are first used, so that `import headrace` costs no more than it must."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Late:
    """Stands for a module; the first attribute that is asked for imports it.

    Args:
        name: of the module.

    >>> Late("math").sqrt(4)
    2.0
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
