"""One HTML file for people: the verdict, the table, the plots. It loads nothing from anywhere, and prints."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from headrace.loadtest.report.plot import plot
from headrace.loadtest.report.terminal import columns, rows
from headrace.loadtest.report.words import in_short, must_be, problems, summary
from headrace.loadtest.verdict import ScenarioResult, SuiteResult

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --dim: #5b6675; --line: #dfe4ea; --paper: #ffffff; --panel: #f6f8fa;
  --good: #1a7f37; --bad: #b42318; --open: #9a6700; --accent: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #9aa5b4; --line: #303844; --paper: #12161c;
  --panel: #1a2029; --good: #4cc26a; --bad: #ff7b6e; --open: #e0b040; --accent: #6fa8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 32px 24px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; } h2 { margin: 40px 0 8px; font-size: 20px; }
.verdict { border-left: 6px solid; padding: 14px 20px; background: var(--panel); border-radius: 4px; }
.verdict.ready { border-color: var(--good); } .verdict.not { border-color: var(--bad); }
.verdict p { margin: 6px 0 0; color: var(--dim); } .verdict li { color: var(--bad); }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--dim); font-weight: 500; font-size: 13px; }
th, td { padding: 6px 10px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr.group th { padding-top: 18px; color: var(--ink); font-weight: 600; font-size: 14px; }
td.number { white-space: nowrap; } td.must { min-width: 150px; } .met { color: var(--good); } .failed { color: var(--bad); }
.undecided { color: var(--open); } .note { color: var(--dim); font-size: 13px; } code { font-size: 13px; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(420px, 1fr)); gap: 16px; margin-top: 12px; }
figure { margin: 0; padding: 10px 12px; border: 1px solid var(--line); border-radius: 4px; break-inside: avoid; }
figcaption { font-weight: 500; margin-bottom: 4px; } svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--line); } .line { fill: none; stroke: var(--accent); stroke-width: 1.6; }
.dot { fill: var(--accent); fill-opacity: .55; } .bound { stroke: var(--bad); stroke-dasharray: 5 4; }
.tick, .axis { fill: var(--dim); font-size: 11px; } .limit { fill: var(--bad); font-size: 11px; }
figure .note { margin: 0 0 4px; } table.groups { width: auto; margin-top: 14px; font-size: 13px; }
table.groups td, table.groups th { padding: 3px 18px 3px 0; } table.groups .figure { text-align: right; }
table.summary td { padding: 8px 14px 8px 0; } table.summary td:nth-child(2) { white-space: nowrap; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; color: var(--dim); font-size: 13px; }
dd { margin: 0; }
@media print { body { max-width: none; padding: 0; } .plots { grid-template-columns: 1fr 1fr; } h2 { break-after: avoid; }
  h2 + p.note { break-after: avoid; } tr, table.groups { break-inside: avoid; } tr.group { break-after: avoid; }
  body { font-size: 12px; } h1 { font-size: 24px; } h2 { font-size: 16px; margin-top: 24px; }
  td.number { white-space: normal; } td.number:first-child { white-space: nowrap; } .note { font-size: 11px; } th, td { padding-right: 8px; } }
"""
_WORDS = {"met": "✓ holds", "failed": "✗ fails", "undecided": "? not decided"}
_KINDS = ("number", "number", "must", "number", "number")
_HEADS = {
    "": "",
    "criterion": "Criterion",
    "measured": "Measured",
    "90 % interval (each bound 95 %)": "Lies between",
    "must be": "Must be",
    "goal": "Goal",
    "reference": "Reference",
}


def html_page(result: SuiteResult) -> str:
    """The whole report as one page."""
    word = "Ready for production" if result.ready else "Not ready for production"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>headrace: {word.lower()}</title><style>{_STYLE}</style>",
        _verdict(result, word),
        "<h2>In short</h2>",
        _summary(result),
        "<h2>What was shown</h2>",
        "<p class=note>A figure lies between the two ends with 95 % confidence each; what must hold every time is judged as "
        "it was observed.</p>",
        _table(result),
        *(_scenario(scenario) for scenario in result.scenarios),
        "<h2>How it was measured</h2>",
        _method(result),
        "</html>",
    ]
    return "\n".join(part for part in parts if part)


def _verdict(result: SuiteResult, word: str) -> str:
    tested = f"Tested: {result.target}, {result.suite} suite, {result.started}."
    told = f"{html.escape(in_short(result))}</p><p>{html.escape(tested)}"
    against = "".join(
        f"<li>{html.escape(told)}{f'<br><span class=note>{html.escape(name)}</span>' if name else ''}</li>"
        for told, name in problems(result)
    )
    kind = "ready" if result.ready else "not"
    return f'<div class="verdict {kind}"><h1>{word}</h1><p>{told}</p>{f"<ul>{against}</ul>" if against else ""}</div>'


def _summary(result: SuiteResult) -> str:
    body = "".join(
        f'<tr><td class="{line.outcome} number">{_WORDS[line.outcome]}</td><td>{html.escape(line.theme)}</td>'
        f"<td>{html.escape(line.told)}</td></tr>"
        for line in summary(result)
    )
    return f'<table class="summary"><tbody>{body}</tbody></table>'


def _table(result: SuiteResult) -> str:
    shown = columns(result)
    head = "".join(f"<th>{_HEADS[name]}</th>" for name in shown)
    body = []
    titles = {scenario.name: scenario.title for scenario in result.scenarios}
    last = ""
    for row, cells in zip(result.results, rows(result), strict=True):
        if row.criterion.scenario != last:
            last = row.criterion.scenario
            body.append(f'<tr class="group"><th colspan="{len(shown)}">{html.escape(titles[last])}</th></tr>')
        outcome = row.decision.outcome
        extra = [f"<br><span class=note>{html.escape(row.criterion.note)}</span>" if row.criterion.note else ""]
        if row.warned:
            extra.append('<br><span class="undecided">slower than it usually is</span>')
        title, *numbers = (html.escape(cell) for cell in cells[1:])
        words = html.escape(must_be(row.criterion.threshold, row.criterion.unit))
        numbers[2] = f'<span title="{numbers[2]}">{words}</span>'
        told = "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(_KINDS, numbers, strict=False))
        body.append(
            f'<tr><td class="{outcome} number">{_WORDS[outcome]}</td><td>{title}{"".join(extra)}</td>{told}</tr>'
        )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _scenario(scenario: ScenarioResult) -> str:
    bounds = {
        r.criterion.metric.removesuffix("_ms"): r.criterion.threshold.bound
        for r in scenario.results
        if r.criterion.metric.endswith("_ms")
    }
    plots = "".join(_plot(name, series, bounds.get(name)) for name, series in scenario.series.items())
    told = f"{scenario.rounds} round{'s' * (scenario.rounds != 1)} in {scenario.seconds:.1f} s"
    if scenario.void:
        told += f"; {len(scenario.void)} rounds void: {html.escape(scenario.void[0])}"
    remarks = "".join(f"<li>{html.escape(remark.split(': ', 1)[1])}</li>" for remark in scenario.remarks)
    if not plots and not scenario.error and not remarks and not scenario.groups:
        return ""
    error = f'<p class="failed">{html.escape(scenario.error)}</p>' if scenario.error else ""
    listed = f'<ul class="undecided">{remarks}</ul>' if remarks else ""
    head = f"<h2>{html.escape(scenario.title)}</h2><p class=note>{told}</p>"
    return f'{head}{error}{listed}<div class="plots">{plots}</div>{_groups(scenario)}'


def _groups(scenario: ScenarioResult) -> str:
    if not scenario.groups:
        return ""
    heads = ("", "Requests", "Failed", "Median", "95th percentile", "99th percentile")
    body, last = [], ""
    for row in scenario.groups:
        if row["by"] != last:
            last = row["by"]
            body.append(f'<tr class="group"><th colspan="{len(heads)}">By {last}</th></tr>')
        times = ("–" if row[name] is None else f"{row[name]:.3g} ms" for name in ("p50_ms", "p95_ms", "p99_ms"))
        cells = (f"{row['requests']:,}", f"{row['failed']:,}", *times)
        body.append(
            f"<tr><td>{html.escape(row['name'])}</td>{''.join(f'<td class=figure>{c}</td>' for c in cells)}</tr>"
        )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<table class="groups"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'


# What is drawn by its metric's bare name.
_TITLES = {
    "answer": "Time to answer",
    "enqueue": "Time to enqueue",
    "first token": "Time to first token",
    "hit rate": "Share of questions that the cache answered, so far",
    "latency": "Time to answer",
    "memory": "Memory of the process",
    "overhead": "Added to the provider's own latency",
    "plain": "Plain chat",
    "queue wait": "Wait in the queue",
    "stream": "Streamed chat",
    "token gap": "From token to token",
    "wrong-hit rate": "Share of questions that it answered wrongly, so far",
}


def _plot(name: str, series: dict[str, Any], bound: float | None) -> str:
    points, axes = series["points"], series["axes"]
    if not points:
        return ""
    # A bound far above everything that was measured would press the plot flat.
    near = bound if bound is not None and bound <= 4 * max(y for _, y in points) else None
    metric, by_percentile = name.removesuffix(" by percentile").removesuffix("_ms").replace("_", " "), "by perc" in name
    title = _TITLES.get(metric, metric[:1].upper() + metric[1:])
    told = ""
    if by_percentile:
        title += ", by percentile"
    elif axes.endswith("milliseconds") and not axes.startswith("requests a second"):
        median, most = np.quantile([y for _, y in points], [0.5, 0.95])
        told = f"median {median:.3g} ms, 95 of 100 below {most:.3g} ms"
        title += ", request by request"
    return plot(title, axes, points, near, told)


def _method(result: SuiteResult) -> str:
    noise = [result.environment.get(name, {}).get("lost_share", 0.0) for name in ("noise_before", "noise_after")]
    facts = {
        "Decision": "A criterion holds when its one-sided 95 % bound lies inside the limit; rounds go on until that is "
        "decided or the time is up. What is not decided does not count as ready.",
        "Intervals": "Rates exact (Clopper and Pearson); percentiles by order statistics and means by Student's t, of as "
        "many values as these are worth: neighbours in a queue say the same.",
        "Machine": str(result.environment.get("machine", "")),
        "Machine noise": f"{noise[0]:.0%} of the time lost to others before, {noise[1]:.0%} after",
        "Versions": f"headrace {result.environment.get('headrace', '')}, Python {result.environment.get('python', '')}",
    }
    return "<dl>" + "".join(f"<dt>{k}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items()) + "</dl>"
