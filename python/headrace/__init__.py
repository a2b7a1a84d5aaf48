"""headrace: the layer between a Python ESG application and the language-model providers it pays."""

from __future__ import annotations

from headrace import errors as _errors
from headrace._core import __version__
from headrace.errors import *  # noqa: F403

__all__ = ["__version__", *(name for name in vars(_errors) if name[0].isupper())]
