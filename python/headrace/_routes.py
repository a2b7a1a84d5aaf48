"""Routes and fallbacks as the core takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.errors import ConfigError

__all__ = ["fallbacks_of", "routes_of"]

_PICKS = ("first", "cheapest", "fastest")
_KEYS = ("models", "pick", "needs")


def fallbacks_of(given: Any) -> dict[str, list[str]]:
    """The fallbacks of each model or route.

    >>> fallbacks_of({"a/m": ("b/m",)})
    {'a/m': ['b/m']}
    """
    found: dict[str, list[str]] = {}
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError('fallbacks is no dict: give models by model, as in {"a/m": ["b/m"]}')
    for model, others in (given or {}).items():
        if not _is_list(others):
            raise ConfigError(f'fallbacks of {model!r} are {others!r}: give a list of models, as in ["b/m"]')
        found[model] = list(others)
    return found


def routes_of(given: Any) -> list[tuple[str, list[str], str, list[str]]]:
    """Each route: its name, its models, how one is picked, what they need.

    >>> routes_of({"report": {"models": ["a/m", "b/m"], "pick": "cheapest"}})
    [('report', ['a/m', 'b/m'], 'cheapest', [])]
    """
    example = '{"report": {"models": ["a/m", "b/m"], "pick": "cheapest"}}'
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"routes is of type {type(given).__name__}: give a dict, as in {example}")
    found = []
    for name, route in (given or {}).items():
        if not isinstance(name, str) or not isinstance(route, Mapping):
            raise ConfigError(f"route {name!r} is {route!r}: give a dict by its name, as in {example}")
        for key in route:
            if key not in _KEYS:
                raise ConfigError(f"route {name!r} has {key!r}: give {', '.join(_KEYS)}")
        models, pick, needs = route.get("models"), route.get("pick", "first"), route.get("needs", [])
        for key, value in [("models", models), ("needs", needs)]:
            if not _is_list(value):
                raise ConfigError(f"{key} of route {name!r} is {value!r}: give a list of texts")
        if pick not in _PICKS:
            raise ConfigError(f"pick of route {name!r} is {pick!r}: give {', '.join(_PICKS)}")
        found.append((name, list(models or ()), str(pick), list(needs)))
    return found


def _is_list(value: Any) -> bool:
    is_list = isinstance(value, Iterable) and not isinstance(value, str | Mapping)
    return is_list and all(isinstance(one, str) for one in value)
