"""Verifiers: functions of one's own, a model that is asked, and what a cache does with what they say."""

import asyncio
import json
import pickle
import threading
from datetime import timedelta
from decimal import Decimal

import headrace
import pytest
from headrace import verifiers
from headrace.errors import ConfigError
from headrace.llm_verifier import TAG
from raw_server import MODEL, RawServer, client_of, error, whole

ASKED, STORED = "How much water was withdrawn?", "What was the water withdrawal?"
NEAR, OTHER = [1.0, 0.0], [0.95, 0.31]


def cache_of(verifier, *stored, **settings):
    """A cache with entries whose vectors are near what is asked for."""
    cache = headrace.SemanticCache(verifier=verifier, threshold=0.5, **settings)
    for place, prompt in enumerate(stored or [STORED]):
        cache.put(prompt, prompt, embedding=[0.95, 0.31 + place / 100], cost=Decimal("0.5"))
    return cache


def ask(cache, prompt=ASKED):
    return cache.get(prompt, embedding=NEAR)


def verdicts(**of_stored):
    """A reply that gives the pairs of a request these verdicts, by the first word of the stored question."""

    def reply(request):
        numbered = json.loads(request.json["messages"][1]["content"])["answered"]
        rows = [
            {"number": int(number), "verdict": of_stored[text.split()[0]]}
            for number, text in numbered.items()
            if text.split()[0] in of_stored
        ]
        return whole(json.dumps({"verdicts": rows}))

    return reply


class TestCallable:
    @pytest.mark.parametrize(
        ("said", "verified"), [(True, 1.0), (0.95, 0.95), (1, 1.0), (False, None), (None, None), (0.5, None)]
    )
    def test_what_a_function_says_decides(self, said, verified):
        asked = []

        def fn(pairs):
            asked.extend(pairs)
            return [said]

        hit = ask(cache_of(fn))
        assert asked == [(ASKED, STORED)]
        assert (hit and hit.verified) == (verified and pytest.approx(verified))

    def test_it_may_be_async_and_the_event_loop_goes_on(self):
        async def main():
            loop, seen = asyncio.get_running_loop(), []

            async def fn(pairs):
                await asyncio.sleep(0)
                seen.append(asyncio.get_running_loop() is loop)
                return [True] * len(pairs)

            cache = cache_of(fn)
            hit = await cache.aget(ASKED, embedding=NEAR)
            answer = await cache.aget_or_compute("Water withdrawal?", lambda: "computed", embedding=NEAR)
            return hit.verified, answer, seen

        assert asyncio.run(main()) == (1.0, STORED, [False, False])

    @pytest.mark.parametrize("bad", [lambda pairs: [], lambda pairs: [2.0], lambda pairs: ["yes"], lambda pairs: 1 / 0])
    def test_what_fails_is_a_miss_and_counted(self, bad):
        cache = cache_of(bad)
        assert ask(cache) is None
        stats = cache.stats()
        assert (stats["verifier_failures"], stats["verified_unsure"], stats["misses"]) == (1, 1, 1)

    def test_what_is_late_is_a_miss(self):
        ended = threading.Event()
        cache = cache_of(verifiers.callable(lambda pairs: [ended.wait(60)], timeout=0.01))
        assert ask(cache) is None
        assert cache.stats()["verifier_failures"] == 1
        ended.set()

    def test_bounds_say_what_a_probability_means(self):
        lax = verifiers.callable(lambda pairs: [0.6], same_at=0.5, different_at=0.4, name="lax")
        assert ask(cache_of(lax)).verified == pytest.approx(0.6)
        assert cache_of(lax).verifiers == ["lax"]

    def test_a_list_is_asked_in_order(self):
        later = []

        def second(pairs):
            later.extend(pairs)
            return [True] * len(pairs)

        first = verifiers.callable(lambda pairs: [False if "consum" in stored else None for _, stored in pairs])
        cache = cache_of([first, second], "What was the water consumption?", STORED)
        assert ask(cache).prompt == STORED
        assert later == [(ASKED, STORED)]

    @pytest.mark.parametrize("bad", ["remote", 3, True, {"a": 1}, b"local"])
    def test_what_is_no_verifier_is_refused(self, bad):
        with pytest.raises(ConfigError, match=r"verifier"):
            headrace.SemanticCache(verifier=bad)

    def test_bounds_that_are_none_are_refused(self):
        for bounds in ({"same_at": 0.1, "different_at": 0.5}, {"same_at": 2.0}, {"timeout": 0}):
            with pytest.raises(ConfigError):
                verifiers.callable(lambda pairs: [], **bounds)
        with pytest.raises(ConfigError):
            verifiers.callable(3)


class TestCache:
    def test_stats_say_what_was_verified(self):
        cache = cache_of(lambda pairs: [stored == STORED for _, stored in pairs], STORED, "What is the water policy?")
        assert ask(cache).prompt == STORED
        stats = cache.stats()
        assert (stats["verifications"], stats["verified_same"], stats["verified_different"]) == (2, 1, 1)
        assert (stats["verified_hits"], stats["verified_saved_cost"]) == (1, Decimal("0.5"))
        assert stats["verifier_seconds"] > 0

    def test_many_are_verified_together(self):
        calls = []

        def fn(pairs):
            calls.append(len(pairs))
            return [True] * len(pairs)

        cache = cache_of(fn)
        hits = cache.get_many([ASKED, "Water withdrawal?"], embeddings=[NEAR, NEAR])
        assert [hit.verified for hit in hits] == [1.0, 1.0]
        assert calls == [2]

    def test_explain_has_a_line_for_each_judge(self):
        cache = cache_of(verifiers.callable(lambda pairs: [0.97], name="mine"), max_error_rate=0.05)
        cache.put("elsewhere", 1, scope="s")
        told = str(cache.explain(ASKED, embedding=NEAR))
        for words in ("threshold: ", "guard: no fact differs", "verifier mine: same, 0.97", "policy: ", "expiry: "):
            assert words in told
        assert told.endswith("another scope of the tenant holds 1 entry")
        assert cache.stats()["verifications"] == 0

    def test_learned_serving_gathers_its_evidence_by_probability(self):
        topics = [f"topic {name}" for name in ("alpha", "beta", "gamma", "delta")]

        def fn(pairs):
            return [0.97 if asked.split()[1] == stored.split()[1] else 0.55 for asked, stored in pairs]

        cache = headrace.SemanticCache(verifier=fn, threshold=0.5, max_error_rate=0.05)
        hits = wrong = 0
        for number in range(800):
            topic = topics[number % 4]
            asked = f"{topic} {'x' * (number + 1)}"
            near = [1.0, 0.01 * (number % 37), 0.01 * (number % 41)]
            hit = cache.get(asked, embedding=near)
            if hit is None:
                cache.put(asked, topic, embedding=near)
            else:
                hits, wrong = hits + 1, wrong + (hit.response != topic)
        assert hits > 300
        assert wrong <= 0.05 * hits


class TestLlm:
    def test_it_is_asked_once_for_all_pairs_of_a_question_and_its_verdicts_are_kept(self):
        with RawServer(verdicts(What="same", Which="different")) as server, client_of(server) as client:
            judge = verifiers.llm(client, model=MODEL, first=None, temperature=0)
            cache = cache_of(judge, "Which water policy is there?", STORED)
            assert ask(cache).prompt == STORED
            assert ask(cache).verified == 1.0
            assert server.count == 1
            sent = server.requests[0].json
            assert sent["response_format"]["type"] == "json_schema"
            assert sent["temperature"] == 0
            assert len(json.loads(sent["messages"][1]["content"])["answered"]) == 2
            booked = client.costs.records()
            assert [list(record.tags) for record in booked] == [[TAG]]
            stats = cache.stats()
            assert (stats["verifier_calls"], stats["verifier_cost"]) == (1, client.costs.total)
            assert client.costs.total > 0

    def test_it_is_asked_only_about_what_the_first_is_unsure_of(self):
        first = verifiers.callable(lambda pairs: [0.95 if stored == STORED else None for _, stored in pairs])
        with RawServer(verdicts(Which="same")) as server, client_of(server) as client:
            cache = cache_of(verifiers.llm(client, model=MODEL, first=first), STORED, "Which water policy is there?")
            assert ask(cache).prompt == STORED
            assert server.count == 0, "the question has its answer"
            assert cache.verifiers == ["<lambda>", f"llm {MODEL}"]

    def test_later_misses_now_and_serves_the_next(self):
        with RawServer(verdicts(What="same")) as server, client_of(server) as client:
            judge = verifiers.llm(client, model=MODEL, mode="later", first=None)
            cache = cache_of(judge)
            assert ask(cache) is None
            assert judge.drain(60)
            assert ask(cache).prompt == STORED
            assert asyncio.run(judge.adrain(60))
            assert server.count == 1

    @pytest.mark.parametrize(
        "reply",
        [error(500), whole("no JSON"), whole("[]"), whole('{"verdicts": [{"number": 9, "verdict": "same"}, 7]}')],
        ids=["error", "text", "list", "another number"],
    )
    def test_what_fails_or_cannot_be_read_is_a_miss(self, reply):
        with RawServer(reply) as server, client_of(server, max_attempts=1) as client:
            cache = cache_of(verifiers.llm(client, model=MODEL, first=None))
            assert ask(cache) is None
            assert cache.stats()["verifier_failures"] == 1

    def test_what_is_late_is_a_miss(self):
        with RawServer([threading.Event()]) as server, client_of(server, max_attempts=1) as client:
            cache = cache_of(verifiers.llm(client, model=MODEL, first=None, timeout=timedelta(milliseconds=50)))
            assert ask(cache) is None
            assert cache.stats()["verifier_failures"] == 1

    def test_its_budget_is_one_of_the_ledger(self):
        with RawServer(verdicts(What="same")) as server, client_of(server) as client:
            cache = cache_of(verifiers.llm(client, model=MODEL, budget="0.000000001", first=None))
            assert ask(cache) is None
            assert server.count == 0
            assert cache.stats()["verifier_failures"] == 1

    def test_equal_questions_at_once_are_one_request(self):
        go = threading.Event()

        def reply(request):
            go.wait(60)
            return verdicts(What="same")(request)

        with RawServer(reply) as server, client_of(server) as client:
            cache = cache_of(verifiers.llm(client, model=MODEL, first=None, timeout=60))
            found = []
            threads = [threading.Thread(target=lambda: found.append(ask(cache))) for _ in range(4)]
            for thread in threads:
                thread.start()
            server.wait_for(1)
            go.set()
            for thread in threads:
                thread.join(60)
            assert [hit.prompt for hit in found] == [STORED] * 4
            assert server.count == 1

    def test_many_questions_are_asked_about_at_once(self):
        meet = threading.Barrier(2, timeout=60)

        def reply(request):
            meet.wait()
            return verdicts(What="same")(request)

        with RawServer(reply) as server, client_of(server) as client:
            cache = cache_of(verifiers.llm(client, model=MODEL, first=None, timeout=60))
            hits = cache.get_many([ASKED, "Water withdrawal?"], embeddings=[NEAR, NEAR])
            assert [hit.prompt for hit in hits] == [STORED, STORED]
            assert server.count == 2

    def test_a_client_whose_cache_asks_a_model_through_the_same_queue_and_ledger(self):
        """One call at a time may leave the queue: the verifier's takes its turn before the call does."""

        def reply(request):
            is_verifying = "answered" in request.json["messages"][-1]["content"]
            return verdicts(How="same")(request) if is_verifying else whole("An answer.")

        with RawServer(reply) as server:
            asking = client_of(server, limits={"concurrency": 1})
            judge = verifiers.llm(asking, model=MODEL, first=None, timeout=60)
            embed = lambda texts: [[1.0, len(text) / 1e4] for text in texts]  # noqa: E731
            cache = headrace.SemanticCache(embed, verifier=judge, threshold=0.5)
            client = client_of(server, cache=cache, queue=asking.queue, costs=asking.costs)
            assert client.chat(MODEL, "How much water was used?", timeout=60).cache is None
            hit = client.chat(MODEL, ASKED, timeout=60)
            assert hit.cache == "semantic"
            assert server.count == 2
            assert client.explain(MODEL, ASKED)[0].serves
            assert asyncio.run(client.aexplain(MODEL, ASKED, temperature=0)).in_other_scopes == 1

    def test_settings_that_are_none_are_refused(self):
        client = headrace.Client(headrace.providers.Simulated())
        for settings in ({"mode": "never"}, {"keep": 0}, {"timeout": -1}):
            with pytest.raises(ConfigError):
                verifiers.llm(client, model="simulated/echo", first=None, **settings)


def test_a_file_says_what_verifies(tmp_path):
    file = tmp_path / "headrace.toml"
    text = '[[providers]]\nname = "simulated"\n[cache]\nverifier_model = "simulated/echo"\nverifier_budget = "1.50"\n'
    file.write_text(text, encoding="utf-8")
    client = headrace.Client.from_config(file)
    assert client.cache.verifiers == ["llm simulated/echo"]
    assert [budget["limit"] for budget in client.costs.budgets()] == [Decimal("1.50")]


class TestLocal:
    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(ConfigError, match=r"nowhere.safetensors.*verifier=None"):
            verifiers.local(tmp_path / "nowhere.safetensors")

    def test_it_is_made_again_of_its_path(self, tmp_path):
        file = tmp_path / "verifier.safetensors"
        file.write_bytes(b"no model")
        again = pickle.loads(pickle.dumps(verifiers.local(file)))
        assert (repr(again), again.name) == (repr(verifiers.local(file)), "local")

    def test_what_is_no_model_is_told_at_the_first_pair_and_a_miss_in_a_cache(self, tmp_path):
        file = tmp_path / "verifier.safetensors"
        file.write_bytes(b"no model")
        local = verifiers.local(str(file))
        with pytest.raises(ConfigError, match=r"verifier.safetensors"):
            local([(ASKED, STORED)])
        cache = cache_of(local)
        assert cache.verifiers == ["local"]
        assert ask(cache) is None
        assert ask(cache, STORED).kind == "exact"
        assert cache.stats()["verifier_failures"] == 1


def test_a_cache_that_is_told_nothing_reads_with_the_model_of_the_package(monkeypatch):
    monkeypatch.setattr(verifiers, "_DEFAULT", "local")
    cache = headrace.SemanticCache(headrace.embedders.static())
    assert cache.verifiers == ["local"]
    cache.put("How much water did the Ostmark mill take from the river in 2023?", "1.2 million m3")
    cache.put("How much did the Ostmark mill pay for its river water in 2023?", "EUR 40,000")
    hit = cache.get("river water withdrawn by the Ostmark mill, 2023")
    assert hit is None or hit.response == "1.2 million m3"
    assert cache.stats()["verifications"] >= 2
    assert headrace.SemanticCache(guards=False).verifiers == []
    assert headrace.SemanticCache(verifier=None).verifiers == []


def test_the_model_of_the_package_tells_a_wording_from_another_question():
    pairs = [
        ("What were our direct emissions in 2023?", "total scope 1 emissions 2023"),
        ("Who audits our suppliers?", "Which firm carries out the audits of our suppliers?"),
        ("How many people left the company last year?", "number of leavers last year"),
        ("Who audits our suppliers?", "How often are our suppliers audited?"),
        ("How many people left the company last year?", "Why did people leave the company last year?"),
        ("What is our target for water?", "How much water did we use?"),
    ]
    verifier = headrace.verifiers.local()
    found = [verifier([pair])[0] for pair in pairs]
    assert min(found[:3]) > max(found[3:]), found
    # Rivals: at most one stored question is the one that was asked.
    asked = pairs[1][0]
    together = verifier([pairs[1], (asked, "Who are the auditors of our suppliers' suppliers?")])
    assert together[0] <= found[1]
    assert pickle.loads(pickle.dumps(verifier))([pairs[1]]) == [found[1]]
