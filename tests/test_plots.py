"""The plots: what they say is what the ledger, the queue and the cache say, on a light and on a dark ground."""

import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import headrace
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

from headrace import plots  # noqa: E402
from headrace.plots import canvas  # noqa: E402
from matplotlib import colors, pyplot  # noqa: E402

NOW = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
MODELS = ["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"]
USAGE = headrace.Usage(10_000, 1000)


@pytest.fixture(autouse=True)
def end():
    yield
    pyplot.close("all")


@pytest.fixture
def costs():
    costs = headrace.CostTracker()
    for day in range(20):
        for number, model in enumerate(MODELS):
            if (day + number) % 4:
                cache = "exact" if day % 3 == 0 else None
                costs.record(model, USAGE, at=NOW - timedelta(days=day), cache=cache, latency=None if cache else day)
    return costs


@pytest.fixture
def client():
    with headrace.Client(headrace.providers.Simulated(time_to_first_token=0)) as client:
        for number in range(6):
            client.chat("simulated/echo", f"Question {number % 3}?")
        yield client


def heights(ax):
    return [[bar.get_height() for bar in layer] for layer in ax.containers]


def words(ax):
    """Every text of a picture."""
    ax.figure.canvas.draw()
    legend = ax.get_legend()
    texts = [*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, *(legend.texts if legend else [])]
    return [ax.get_title(loc="left"), *(text.get_text() for text in texts)]


@pytest.mark.parametrize("by", ["model", "tenant", "provider"])
@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
def test_the_bars_of_spend_add_up_to_the_bill(costs, by, bucket):
    ax = plots.spend(costs, by=by, bucket=bucket)
    assert math.fsum(sum(layer) for layer in heights(ax)) == pytest.approx(float(costs.total))
    assert len(ax.containers) == len({row[by] for row in costs.summary(by)})


def test_spend_is_of_the_time_asked_for_and_days_without_a_call_have_room(costs):
    costs.record(MODELS[0], USAGE, at=NOW - timedelta(days=40))
    whole, part = plots.spend(costs), plots.spend(costs, since=NOW - timedelta(days=5))
    assert {len(layer) for layer in heights(whole)} == {40}
    assert {len(layer) for layer in heights(part)} <= {4, 5, 6}
    assert "21 Oct 2026 to 29 Nov 2026" in words(whole)


def test_days_begin_in_the_zone_that_is_asked_for():
    costs = headrace.CostTracker()
    # Before and after midnight in Berlin, also on the day on which the clock changes.
    for at in (datetime(2026, 10, 24, 23, tzinfo=timezone.utc), datetime(2026, 10, 25, 22, 30, tzinfo=timezone.utc)):
        costs.record(MODELS[0], USAGE, at=at)
    costs.record(MODELS[0], USAGE, at=datetime(2026, 10, 25, 23, 30, tzinfo=timezone.utc))
    one = float(costs.records()[0].cost)
    [layer] = heights(plots.spend(costs, timezone="Europe/Berlin"))
    assert layer == pytest.approx([2 * one, one])
    [layer] = heights(plots.spend(costs, bucket="hour", timezone="Europe/Berlin"))
    assert (len(layer), math.fsum(layer)) == (25, pytest.approx(3 * one))


def test_the_dearest_have_a_colour_and_the_others_are_one():
    costs = headrace.CostTracker()
    for number in range(12):
        costs.record(MODELS[0], headrace.Usage(1000 * (number + 1), 0), tenant=f"tenant {number}")
    ax = plots.spend(costs, by="tenant")
    assert len(ax.containers) == len(canvas.COLOURS) + 1
    assert any(word.startswith("5 others") for word in words(ax))
    assert math.fsum(sum(layer) for layer in heights(ax)) == pytest.approx(float(costs.total))


def test_saved_is_what_the_ledger_says(costs):
    paid, saved = heights(plots.saved(costs))
    assert math.fsum(paid) == pytest.approx(float(costs.total))
    assert math.fsum(saved) == pytest.approx(float(sum((row["saved"] for row in costs.summary()), Decimal(0))))


def test_more_spans_than_can_be_drawn_are_refused_with_advice(costs):
    costs.record(MODELS[0], USAGE, at=NOW - timedelta(days=60))
    with pytest.raises(headrace.ConfigError, match=r"1,000 spans of a hour.*since=, or a longer bucket="):
        plots.spend(costs, bucket="hour")


def test_carbon_has_the_bounds_of_the_estimate_and_says_what_is_unknown(costs):
    costs.record("acme/unknown", USAGE)
    ax = plots.carbon(costs)
    middles = [bar.get_width() for bar in ax.patches][: len(ax.get_yticks())]
    rows = sorted((row for row in costs.summary("model") if row["co2e_g"]), key=lambda row: -row["co2e_g"])
    assert middles == pytest.approx([float(row["co2e_g"]) for row in rows])
    assert "not in it: 1 call of models whose size is not known" in words(ax)


def test_latency_is_what_the_metrics_say(client):
    ax = plots.latency(client)
    told = {(one.model, one.cache): one.duration for one in client.metrics().calls}
    shown = {
        layer.get_label(): layer.get_offsets().data[:, 0].tolist()
        for layer in ax.collections
        if layer.get_label().startswith("p")
    }
    for name in ("p50", "p90", "p95", "p99"):
        assert shown[name] == pytest.approx([told["echo", None][name], told["echo", "exact"][name]])
    assert "simulated/echo, exact cache\n3 calls" in words(ax)


def test_latency_of_a_ledger_is_of_the_calls_that_a_provider_answered(costs):
    ax = plots.latency(costs)
    assert len(ax.get_yticks()) == 3
    timed = [record for record in costs.records(model="gpt-4o") if record.latency is not None]
    assert f"openai/gpt-4o\n{len(timed)} calls" in words(ax)


@pytest.mark.parametrize("wrong", [None, "costs", headrace.RequestQueue()])
def test_a_wrong_source_of_latency_is_refused_with_advice(wrong):
    with pytest.raises(TypeError, match="give a Client, its Metrics or a CostTracker"):
        plots.latency(wrong)


def test_a_queue_is_shown_by_priority():
    queue = headrace.RequestQueue(name="reports")
    for count, priority in [(1, "critical"), (4, "high"), (9, "low")]:
        queue.put_many(["x"] * count, priority=priority)
    queue.get()
    ax = plots.queue(queue)
    assert [bar.get_width() for bar in ax.patches] == [1, 4, 0, 9]
    assert {"critical", "high", "normal", "low", "Queue reports: 13 waiting, 1 leased"} <= set(words(ax))
    queue.pause()
    assert any("paused" in word for word in words(plots.queue(queue)))


def test_a_cache_is_shown_by_how_it_answered():
    cache = headrace.SemanticCache(headrace.embedders.static())
    cache.put("What were the Scope 1 emissions in 2023?", "12,400 tCO2e")
    for asked in ("What were the Scope 1 emissions in 2023?", "Scope 1 emissions 2023, what were they?"):
        cache.get(asked)
    cache.get("What were the Scope 1 emissions in 2024?")
    ax = plots.answered(cache)
    assert [bar.get_width() for bar in ax.patches] == [1, 1, 1]
    assert "Answered by the cache: 67 % of 3 questions" in words(ax)
    assert "candidates kept from serving by guards: 1" in words(ax)


def vectors(texts):
    """Each text is its angle."""
    return [[math.cos(float(text)), math.sin(float(text))] for text in texts]


def test_hits_against_errors_are_counted_from_the_nearest_pair_to_the_farthest():
    pairs = [("0", f"0.{number:02d}", number % 3 != 0) for number in range(1, 31)]
    ax = plots.hits(pairs, embedder=vectors, guards=headrace.guards.Guards())
    line = next(line for line in ax.lines if line.get_label() == "similarity alone")
    # The first ten make one point: 3 of them are wrong, 7 of 20 found.
    assert (line.get_xdata()[0], line.get_ydata()[0]) == pytest.approx((0.3, 0.35))
    assert (line.get_xdata()[-1], line.get_ydata()[-1]) == pytest.approx((1 / 3, 1.0))


def test_guards_are_drawn_beside_similarity():
    asked = "What were the Scope 1 emissions in {}?"
    pairs = [
        (asked.format(year), asked.format(year + other), not other) for year in range(2001, 2020) for other in (0, 1)
    ]
    ax = plots.hits(pairs)
    lines = {line.get_label(): line for line in ax.lines}
    assert max(lines["with guards"].get_xdata()) == 0
    assert lines["similarity alone"].get_xdata()[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("pairs", [[], [("a", "b", True)], [("a", "b", False), ("c", "d", False)]])
def test_pairs_of_one_kind_alone_are_refused_with_advice(pairs):
    with pytest.raises(headrace.ConfigError, match="give pairs that it serves and pairs that it does not"):
        plots.hits(pairs)


EMPTY = {
    "spend": lambda ax=None: plots.spend(headrace.CostTracker(), ax=ax),
    "saved": lambda ax=None: plots.saved(headrace.CostTracker(), ax=ax),
    "carbon": lambda ax=None: plots.carbon(headrace.CostTracker(), ax=ax),
    "latency": lambda ax=None: plots.latency(headrace.CostTracker(), ax=ax),
    "queue": lambda ax=None: plots.queue(headrace.RequestQueue(), ax=ax),
    "answered": lambda ax=None: plots.answered(headrace.SemanticCache(), ax=ax),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_yet_is_said_and_the_axes_given_are_drawn_on(name):
    said = words(EMPTY[name]())
    assert any(word.startswith(("no ", "nothing ")) or "nothing waits" in word for word in said), said
    ax = pyplot.figure().subplots()
    assert EMPTY[name](ax=ax) is ax


def test_names_with_dollars_are_no_formulas(costs):
    costs.record(MODELS[0], headrace.Usage(100_000, 0), tenant="a $x_1$ b")
    for ax in (plots.spend(costs, by="tenant"), plots.carbon(costs, by="tenant"), plots.saved(costs)):
        assert any("$" in word for word in words(ax))
        texts = [ax.title, ax._left_title, *ax.get_yticklabels(), *ax.get_legend().texts]
        assert not any(text.get_parse_math() for text in texts if text.get_text().count("$") > 1)


def luminance(colour):
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colors.to_rgb(colour)]
    return sum(part * weight for part, weight in zip(parts, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", [*canvas.COLOURS, canvas.GREY])
@pytest.mark.parametrize("ground", ["white", "black", "#111111", "#1e1e1e"])
def test_a_colour_is_seen_on_light_and_dark(colour, ground):
    """WCAG 2.1 wants 3 for figures."""
    assert contrast(colour, ground) >= 3


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_text_is_legible_on_the_ground_that_the_figure_brings(style, costs):
    """A style of a notebook may make the ground transparent: text would stand on whatever the page has."""
    with pyplot.style.context(style):
        pyplot.rcParams["figure.facecolor"] = (*colors.to_rgb(pyplot.rcParams["figure.facecolor"]), 0)
        ax = plots.spend(costs)
        ground = ax.figure.get_facecolor()
        assert ground[3] == 1
        texts = [ax._left_title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_legend().texts]
        assert min(contrast(text.get_color(), ground) for text in texts) >= 4.5
