"""The examples in the load suite's own docstrings hold."""

import doctest
import importlib
import pkgutil

import pytest
from headrace import loadtest

MODULES = [found.name for found in pkgutil.walk_packages(loadtest.__path__, "headrace.loadtest.")]


@pytest.mark.parametrize("name", [name for name in MODULES if ".scenarios" not in name])
def test_examples_hold(name):
    # Names of exceptions are written without their module.
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL).failed == 0
