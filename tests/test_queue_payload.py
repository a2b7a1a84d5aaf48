"""What a queue takes comes back equal and of the same type; all else is refused and puts nothing."""

from __future__ import annotations

import asyncio
import enum
import math
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from headrace import RequestQueue
from hypothesis import given
from hypothesis import strategies as st


class Word(str, enum.Enum):
    A = "a"


class Number(int, enum.Enum):
    ONE = 1


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Raw(bytes):
    pass


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["$serde_json::private::Number", "$serde_json::private::RawValue"]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
REFUSED = st.sampled_from(
    [
        (),
        (1, 2),
        {1: "x"},
        {None: 1},
        {True: 1},
        {Word.A: 1},
        {Text("a"): 1},
        {("a",): 1},
        math.nan,
        math.inf,
        -math.inf,
        Word.A,
        Number.ONE,
        Text("a"),
        Whole(1),
        Real(1.5),
        OrderedDict(a=1),
        {1, 2},
        frozenset(),
        bytearray(b"x"),
        memoryview(b"x"),
        Raw(b"x"),
        Decimal(1),
        1j,
        object(),
        "\ud800",
        {"\udfff": 1},
    ]
)
WRAPS: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: {"key": value},
    lambda value: [1, {"a": [value]}],
]


def same(one: Any, other: Any) -> bool:
    """Equal and of the same types all the way down, where Python's == takes 1, 1.0 and True for one."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def round_trip(value: Any) -> tuple[Any, Any]:
    q = RequestQueue()
    request = q.put(value)
    job = q.get(timeout=0)
    job.ack(value)
    return job.payload, q.result(request, timeout=0)


@given(value=JSON | st.binary())
def test_what_is_taken_comes_back_as_it_went_in(value: Any) -> None:
    payload, result = round_trip(value)
    assert same(payload, value)
    assert same(result, value)


@given(value=REFUSED, wrap=st.sampled_from(WRAPS))
def test_what_would_change_is_refused_and_puts_nothing(value: Any, wrap: Callable[[Any], Any]) -> None:
    q = RequestQueue()
    with pytest.raises((TypeError, ValueError)):
        q.put(wrap(value))
    with pytest.raises((TypeError, ValueError)):
        q.put_many([1, wrap(value)])
    with pytest.raises((TypeError, ValueError)):
        asyncio.run(q.aput(wrap(value)))
    with pytest.raises((TypeError, ValueError)):
        asyncio.run(q.aput_many([1, wrap(value)]))
    assert len(q) == 0
    request = q.put("good")
    job = q.get(timeout=0)
    with pytest.raises((TypeError, ValueError)):
        job.ack(wrap(value))
    assert q.status(request) == "leased", "a result that is refused ends no lease"
    job.ack("done")


def nested(depth: int, make: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    return value


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "dicts"])
def test_the_deepest_that_is_taken_can_be_read(make: Callable[[Any], Any]) -> None:
    for depth in (126, 127, 128):
        value = nested(depth, make)
        assert round_trip(value) == (value, value)
    q = RequestQueue()
    with pytest.raises(ValueError, match="128 deep"):
        q.put(nested(129, make))
    assert len(q) == 0


def test_a_circle_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="deep"):
        RequestQueue().put(circle)


def test_a_refusal_says_what_to_give() -> None:
    q = RequestQueue()
    with pytest.raises(TypeError, match="a tuple would come back as a list: give a plain list"):
        q.put({"a": (1, 2)})
    with pytest.raises(TypeError, match="a Number would come back as a int: give a plain int"):
        q.put(Number.ONE)
    with pytest.raises(TypeError, match="key must be a str, not int"):
        q.put({1: 2})


@pytest.mark.parametrize("value", [10**400, -(10**400), 2**63, -(2**63) - 1, 1e308, 5e-324, -0.0, "\x00", "\u2028"])
def test_the_edges_of_numbers_and_texts(value: Any) -> None:
    assert all(same(back, value) for back in round_trip(value))
