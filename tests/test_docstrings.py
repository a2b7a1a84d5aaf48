"""What `help()` shows: each public name has a docstring at run time, its examples hold, and twins take the same."""

import doctest
import importlib
import inspect
import pkgutil
import sys
from types import ModuleType

import headrace
import pytest

# The classes whose members are not all documented yet. Only ever shorter.
UNFINISHED = {
    "headrace.CostRecord",
    "headrace.CostTracker",
    "headrace.PriceTable",
    "headrace.Response",
    "headrace.Usage",
    "headrace.cost.Estimate",
    "headrace.guards.Verdict",
}
# The methods whose twins do not take the same yet. Only ever shorter.
UNEQUAL: set[str] = set()


def modules() -> list[ModuleType]:
    """The package and all its public modules, but the load suite's tests and what it spoils on purpose."""
    found = [headrace]
    for module in pkgutil.walk_packages(headrace.__path__, "headrace."):
        parts = module.name.split(".")
        if not any(part.startswith("_") or part in ("scenarios", "spoils") for part in parts):
            found.append(importlib.import_module(module.name))
    return found


def is_ours(value: object) -> bool:
    return (getattr(value, "__module__", None) or "").split(".")[0] == "headrace"


def public(module: ModuleType) -> list[str]:
    """What `__all__` names; where there is none, what the module itself defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return [name for name in own if not name.startswith("_")]


def names() -> dict[str, object]:
    """Every public class and function of the package, by where it is found first."""
    found: dict[int, tuple[str, object]] = {}
    for module in modules():
        for name in public(module):
            value = getattr(module, name)
            if is_ours(value) and (inspect.isclass(value) or callable(value)):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return dict(found.values())


NAMES = names()
CLASSES = {name: value for name, value in NAMES.items() if inspect.isclass(value)}


def members(owner: type) -> dict[str, object]:
    """A class's public methods and properties, those of its bases too, as long as they are ours."""
    found: dict[str, object] = {}
    for base in reversed([base for base in owner.__mro__ if is_ours(base)]):
        for name, value in vars(base).items():
            described = hasattr(value, "__get__") and not inspect.isclass(value)
            if not name.startswith("_") and described:
                found[name] = value
    return found


def text(owner: type, name: str) -> str:
    """What `help` has to say about a member: its own docstring, or that of the base that it overrides."""
    for base in owner.__mro__:
        if name in vars(base) and (told := inspect.getdoc(vars(base)[name])):
            return told
    return ""


def lacking(owner: type) -> list[str]:
    # A dataclass without a docstring is given one that only repeats its signature.
    told = owner.__doc__ or ""
    own = [] if told and not told.startswith(f"{owner.__name__}(") else ["the class itself"]
    return own + [name for name in members(owner) if not text(owner, name).strip()]


def test_the_walk_finds_what_is_public():
    assert {"headrace.RequestQueue", "headrace.loadgen.open_loop", "headrace.workload.ESG"} <= set(NAMES)
    assert {"put", "aput", "stats"} <= set(members(headrace.RequestQueue))
    assert {"input_tokens", "from_response"} <= set(members(headrace.Usage))
    assert len(NAMES) > 80


@pytest.mark.parametrize("module", [module.__name__ for module in modules()])
def test_a_module_is_described(module):
    assert (importlib.import_module(module).__doc__ or "").strip()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CLASSES])
def test_a_function_is_described(name):
    assert (inspect.getdoc(NAMES[name]) or "").strip()


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_and_its_members_are_described(name):
    found = lacking(CLASSES[name])
    if name not in UNFINISHED:
        assert found == []


def examples() -> list[object]:
    finder = doctest.DocTestFinder()
    found = [test for module in modules() for test in finder.find(module, module.__name__)]
    seen = {test.name for test in found}
    for name, value in NAMES.items():
        # What is compiled has no module that doctest would look into.
        homes = [headrace, sys.modules[value.__module__], importlib.import_module(name.rpartition(".")[0])]
        globs = {name: value for home in homes for name, value in vars(home).items()} | {"headrace": headrace}
        found += [test for test in finder.find(value, name, module=False, globs=globs) if test.name not in seen]
    return [pytest.param(test, id=test.name) for test in found if test.examples]


@pytest.mark.parametrize("test", examples())
def test_an_example_holds(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    # Names of exceptions may be written without their module.
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS)
    assert runner.run(test, out=told.append).failed == 0, "".join(told)


def twins() -> list[object]:
    pairs = []
    for name, owner in CLASSES.items():
        own = members(owner)
        pairs += [
            pytest.param(getattr(owner, one), getattr(owner, f"a{one}"), id=f"{name}.{one}")
            for one in own
            if f"a{one}" in own and callable(getattr(owner, one))
        ]
    for module in modules():
        own = public(module)
        pairs += [
            pytest.param(getattr(module, one), getattr(module, f"a{one}"), id=f"{module.__name__}.{one}")
            for one in own
            if f"a{one}" in own
        ]
    return pairs


def shape(function: object) -> list[tuple[str, object, object]]:
    found = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    # How `self` is taken differs between what is compiled and what is not.
    return [(one.name, one.kind, one.default) for one in found if one.name != "self"]


@pytest.mark.parametrize(("plain", "twin"), twins())
def test_a_twin_takes_what_the_other_takes(plain, twin, request):
    if request.node.callspec.id not in UNEQUAL:
        one, other = shape(plain), shape(twin)
        # A default that the compiled signature does not spell is shown as three dots, and cannot be compared.
        unsaid = {name for name, _, default in one if default is ...}
        assert [(n, k, ... if n in unsaid else d) for n, k, d in other] == one
