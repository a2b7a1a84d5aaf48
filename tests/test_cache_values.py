"""What the cache hands out: values that can be pickled, compared and turned into dicts, and methods with asyncio twins."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import headrace
import pytest
from headrace import SemanticCache, cache
from headrace._core.cache import Calibration
from hypothesis import given, settings
from hypothesis import strategies as st


def hit(value: Any = "energy", **keep: Any) -> headrace.CacheHit:
    held = SemanticCache(guards=False)
    held.put("What is scope 2?", value, embedding=[0.6, 0.8], **keep)
    found = held.get("scope 2?", embedding=[0.6, 0.81], scope=keep.get("scope"), tenant=keep.get("tenant", "default"))
    assert found is not None
    return found


JSON = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)


@settings(deadline=None)
@given(value=JSON | st.binary(), tenant=st.text(), scope=JSON, cost=st.none() | st.integers(0, 10**20))
def test_a_hit_survives_pickle(value: Any, tenant: str, scope: Any, cost: int | None) -> None:
    before = hit(value, tenant=tenant, scope=scope, cost=cost)
    after = pickle.loads(pickle.dumps(before))
    assert after.to_dict() == before.to_dict()
    assert after == before
    assert hash(after) == hash(before)
    assert after.response == value


def test_a_hit_as_a_dict() -> None:
    found = hit(cost=Decimal("0.002"))
    told = found.to_dict()
    names = [name for name in dir(found) if name[0] != "_" and name != "to_dict"]
    assert sorted(told) == sorted(names)
    assert all(told[name] == getattr(found, name) for name in names)
    json.dumps({**told, "saved_cost": str(told["saved_cost"])})


def test_feedback_on_a_hit_that_was_pickled_ends_its_entry_and_no_later_one() -> None:
    held = SemanticCache()
    held.put("p", 1)
    first = pickle.loads(pickle.dumps(held.get("p")))
    held.put("p", 2)
    held.feedback(first, correct=False)
    second = held.get("p")
    assert second is not None
    assert second.response == 2
    held.feedback(pickle.loads(pickle.dumps(second)), correct=False)
    assert held.get("p") is None
    assert held.stats()["rejections"] == 1


def test_what_explains_survives_pickle_and_is_a_sequence() -> None:
    held = SemanticCache(guards=False)
    held.put("a", 1, embedding=[1.0, 0.0])
    held.put("b", 2, embedding=[0.0, 1.0])
    near = held.explain("a", embedding=[1.0, 0.0])
    assert [one.prompt for one in near] == ["a", "b"] == [near[0].prompt, near[-1].prompt]
    assert len(near) == 2
    assert near[:1] == near.entries[:1]
    with pytest.raises(IndexError):
        near[2]
    for value in (near, near[0], Calibration(0.8, (0.0, 0.1), 9, 8, 1, 0.2, 0.95)):
        again = pickle.loads(pickle.dumps(value))
        assert (again, hash(again), again.to_dict()) == (value, hash(value), value.to_dict())


def test_where_the_scope_has_no_entry_it_says_what_others_hold() -> None:
    held = SemanticCache()
    held.put("What is scope 2?", 1, scope={"model": "a"})
    held.put("What is scope 3?", 1, scope={"model": "b"})
    held.put("What is scope 3?", 1, tenant="other")
    near = held.explain("What is scope 2?")
    assert (len(near), near.in_other_scopes) == (0, 2)
    assert "other scopes of the tenant hold 2 entries: is scope=" in str(near)
    assert held.explain("What is scope 2?", scope={"model": "a"})[0].serves
    assert "hold 0 entries" in str(held.explain("What is scope 2?", tenant="nobody"))


def test_stats_are_what_their_type_says() -> None:
    stats = SemanticCache().stats()
    assert set(stats) == set(cache.CacheStats.__annotations__)


def twins() -> list[tuple[str, Any, Any]]:
    waiting = [name for name in dir(SemanticCache) if name[0] != "_" and f"a{name}" in dir(SemanticCache)]
    return [(name, getattr(SemanticCache, name), getattr(SemanticCache, f"a{name}")) for name in waiting]


def test_every_method_that_waits_has_a_twin_with_the_same_parameters() -> None:
    does_not_wait = {"threshold", "dimension", "stats", "scope_of", "verifiers"}
    public = {name for name in dir(SemanticCache) if name[0] != "_"} - does_not_wait
    assert {name for name, _, _ in twins()} == {name for name in public if f"a{name}" in public}
    assert public == {name for name, _, _ in twins()} | {f"a{name}" for name, _, _ in twins()}
    for name, plain, twin in twins():
        of = [[(p.name, p.kind) for p in inspect.signature(one).parameters.values()] for one in (plain, twin)]
        # `self` of a compiled method can be given by place only.
        of = [[known for known in one if known[0] != "self"] for one in of]
        assert of[0] == of[1], name
        assert inspect.iscoroutinefunction(twin), name


def test_the_twins_do_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        held = SemanticCache(headrace.embedders.static())
        keys = await held.aput_many(["What is scope 1?", "What is scope 2?"], iter([1, 2]), tags=("t",))
        assert [hit and hit.response for hit in await held.aget_many(["What is scope 2?", "?"])] == [2, None]
        assert (await held.aexplain("What is scope 2?"))[0].serves
        found = await held.aget("What is scope 1?")
        assert found is not None
        await held.afeedback(found, False)
        assert await held.aget("What is scope 1?") is None
        assert await held.asave(tmp_path / "saved.db") == 2
        assert len(await SemanticCache.aload(tmp_path / "saved.db")) == 2
        assert keys[0] is not None
        assert await held.adelete(keys[0])
        assert await held.ainvalidate(tag="t") == 1
        await held.aput("old", 1, ttl=0)
        assert await held.apurge_expired() == 1
        await held.acompact()
        await held.aput("more", 1)
        await held.aclear()
        assert len(held) == 0
        assert (await held.acalibrate([("a b", "a b", True)] * 3)).pairs == 3

    asyncio.run(main())


@pytest.mark.parametrize("name", ["put", "put_many", "aput", "aput_many", "get_or_compute", "aget_or_compute"])
def test_a_text_is_no_list_of_tags(name: str) -> None:
    held = SemanticCache()
    arguments = ([["p"], [1]] if "many" in name else ["p", lambda: 1]) if name != "put" and name != "aput" else ["p", 1]
    with pytest.raises(TypeError):
        made = getattr(held, name)(*arguments, tags="tag")
        if inspect.isawaitable(made):
            asyncio.run(made)  # type: ignore[arg-type]
    assert len(held) == 0


def test_help_says_what_a_method_does() -> None:
    for one in (SemanticCache, headrace.CacheHit, headrace.Explanation, cache.Explanations, Calibration):
        assert one.__doc__, one
        for name in dir(one):
            if name[0] != "_":
                assert getattr(one, name).__doc__, f"{one.__name__}.{name}"


class TestScope:
    @settings(deadline=None)
    @given(cut=st.integers(1, 8), other=st.integers(1, 8))
    def test_a_moved_boundary_between_parts_is_another_question(self, cut: int, other: int) -> None:
        text = "one\ntwo\nme"

        def asked(at: int) -> tuple[str, dict[str, Any]]:
            parts = [{"type": "text", "text": text[:at]}, {"type": "text", "text": text[at:]}]
            return headrace.scope([{"role": "user", "content": parts}])

        assert (asked(cut) == asked(other)) == (cut == other)
        joined = headrace.scope([{"role": "user", "content": text}])
        assert asked(cut) != joined

    def test_the_document_before_the_question_is_scope(self) -> None:
        held = SemanticCache()

        def where(document: str) -> tuple[str, dict[str, Any]]:
            parts = [{"type": "text", "text": document}, {"type": "text", "text": "What is its scope 1?"}]
            return headrace.scope([{"role": "user", "content": parts}], model="m")

        prompt, scope = where("Report of Acme")
        assert prompt == "What is its scope 1?"
        held.put(prompt, 1, scope=scope)
        assert held.get(prompt, scope=scope) is not None
        assert held.get(*[where("Report of Bolt")[0]], scope=where("Report of Bolt")[1]) is None

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ({"t": 0}, {"t": 0.0}, True),
            ({"t": 0}, {"t": -0.0}, True),
            ({"t": 1e2}, {"t": 100}, True),
            ({"t": 0.1}, {"t": 0.10000000000000002}, False),
            ({"seed": 12345678901234567890}, {"seed": 12345678901234567891}, False),
            ({"seed": 10**400}, {"seed": 10**400 + 1}, False),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
            ({"t": True}, {"t": 1}, False),
            ({"t": "0"}, {"t": 0}, False),
            ({"\ufb33": 1, "\U0001f600": 2}, {"\U0001f600": 2, "\ufb33": 1}, True),
        ],
    )
    def test_equal_values_are_one_scope_and_others_are_not(self, one: Any, other: Any, same: bool) -> None:
        held = SemanticCache()
        held.put("p", 1, scope=one)
        assert (held.get("p", scope=other) is not None) == same
        prompt, where = headrace.scope([{"role": "user", "content": "p"}], **one)
        held.put(prompt, 2, scope=where)
        found = held.get(*[prompt], scope=headrace.scope([{"role": "user", "content": "p"}], **other)[1])
        assert (found is not None) == same
