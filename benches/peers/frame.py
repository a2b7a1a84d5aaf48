"""What a row of a map costs beside the bare SDK, and how much memory a million rows take.

    python benches/peers/frame.py                   # both tables of time: about two minutes
    python benches/peers/frame.py memory            # a million rows of the provider inside the process: minutes
    python benches/peers/frame.py memory 100000     # as many rows

Time: the same rows through OpenAI's own SDK in a loop and through `AsyncOpenAI` with `gather` and a semaphore, and through
`headrace.map` with as many calls out at once, all against one simulated provider over HTTP, which answers at once and runs
in a process of its own. The subjects take turns, in an order that changes from round to round; a figure is the median over
the rounds, a ratio is to the SDK in the same round. headrace looks for equal rows, holds a budget and books each call on the
way; the SDK does none of it. The last row keeps the run in a file as well, on the disk before the next calls go out.

Memory: a CSV file of so many rows goes through a map into a CSV file, in a process of its own; what is told is the
resident memory at each tenth of the rows.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import headrace
from behind import MODEL, provider

TEMPLATE = "Which ESRS topic does this disclosure belong to? {text}"
AT_ONCE = 16


def rows_of(count: int, turn: int) -> list[str]:
    """Rows that no turn before had, so that no cache answers."""
    return [f"Turn {turn}, site {place}: we cut our scope 1 emissions by {place % 97} %." for place in range(count)]


def sdk(url: str) -> Callable[[list[str]], list[str]]:
    import openai

    client = openai.OpenAI(api_key="none", base_url=url)

    def ask(rows: list[str]) -> list[str]:
        answers = []
        for text in rows:
            messages = [{"role": "user", "content": TEMPLATE.format(text=text)}]
            reply = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=50)
            answers.append(reply.choices[0].message.content)
        return answers

    return ask


def asdk(url: str) -> Callable[[list[str]], list[str]]:
    import openai

    async def all_of(rows: list[str]) -> list[str]:
        room = asyncio.Semaphore(AT_ONCE)
        async with openai.AsyncOpenAI(api_key="none", base_url=url) as client:

            async def ask(text: str) -> str:
                messages = [{"role": "user", "content": TEMPLATE.format(text=text)}]
                async with room:
                    reply = await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=50)
                return reply.choices[0].message.content

            return await asyncio.gather(*map(ask, rows))

    return lambda rows: asyncio.run(all_of(rows))


def ours(url: str, concurrency: int, folder: str | None = None) -> Callable[[list[str]], list[str]]:
    prices = headrace.PriceTable.builtin()
    prices.set(f"openai/{MODEL}", input="0.15", output="0.6")
    provider = headrace.providers.OpenAICompatible(url, name="openai", api_key="none")
    client = headrace.Client(provider, costs=headrace.CostTracker(prices=prices))

    def ask(rows: list[str]) -> list[str]:
        out = headrace.map(
            rows,
            TEMPLATE.replace("{text}", "{}"),
            model=f"openai/{MODEL}",
            client=client,
            budget="100",
            concurrency=concurrency,
            run=None if folder is None else f"{folder}/{time.monotonic_ns()}.db",
            progress=False,
            max_tokens=50,
        )
        return [response.text for response in out]

    return ask


def compare(names: list[str], subjects: dict[str, Callable[[list[str]], list[str]]], rounds: int, count: int) -> None:
    """A table of the milliseconds a row, with the ratio to the first."""
    took: dict[str, list[float]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        rows = rows_of(count, turn)
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            began, processor = time.perf_counter(), time.process_time()
            answers = subjects[name](rows)
            if turn:  # the first warms up
                took[name].append((time.perf_counter() - began) / count * 1e3)
                spent[name].append((time.process_time() - processor) / count * 1e3)
            assert answers == [TEMPLATE.format(text=text) for text in rows], name
    print(f"{'':34}{'ms a row':>10}{'of the SDK':>12}{'processor ms':>14}{'of the SDK':>12}")
    for name in names:
        first = names[0]
        ratio = statistics.median(ours / theirs for ours, theirs in zip(took[name], took[first], strict=True))
        share = statistics.median(ours / theirs for ours, theirs in zip(spent[name], spent[first], strict=True))
        wall, busy = statistics.median(took[name]), statistics.median(spent[name])
        print(f"{name:34}{wall:10.3f}{ratio:12.2f}{busy:14.3f}{share:12.2f}")
    print()


def times(rounds: int, count: int) -> None:
    with provider() as url, tempfile.TemporaryDirectory() as folder:
        subjects = {
            "openai, a loop": sdk(url),
            "headrace.map, one at a time": ours(url, 1),
            f"AsyncOpenAI, gather, {AT_ONCE} at once": asdk(url),
            f"headrace.map, {AT_ONCE} at once": ours(url, AT_ONCE),
            f"headrace.map, {AT_ONCE} at once, run=": ours(url, AT_ONCE, folder),
        }
        names = list(subjects)
        compare(names[:2], subjects, rounds, count)
        compare(names[2:], subjects, rounds, count)


def resident() -> float:
    """MB of memory that are this process's now."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmRSS")


def memory(count: int) -> None:
    """Map a file of so many rows in this process, and tell its memory at each tenth."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "rows.csv"
        with given.open("w", encoding="utf-8") as file:
            file.write("text\n")
            for place in range(count):
                file.write(f"Site {place}: we cut our scope 1 emissions by {place % 97} %.\n")
        done, began = 0, time.monotonic()

        def tell(_outcome: object) -> None:
            nonlocal done
            done += 1
            if done % (count // 10) == 0:
                print(f"{done:>10,} answered  {resident():8.1f} MB  {time.monotonic() - began:6.0f} s", flush=True)

        client = headrace.Client(
            headrace.providers.Simulated(time_to_first_token=0, tokens_per_second=0),
            # A ledger and a cache in memory keep every call by design: the one has a file here, the other a bound.
            cache=headrace.SemanticCache(max_entries=1000),
            costs=headrace.CostTracker(url=f"sqlite:///{folder}/costs.db"),
            on_call=tell,
        )
        print(f"{0:>10,} answered  {resident():8.1f} MB")
        out = headrace.map(
            given,
            TEMPLATE,
            model="simulated/echo",
            client=client,
            run=f"{folder}/run.db",
            progress=False,
            max_tokens=50,
        )
        with Path(out).open(encoding="utf-8") as file:
            rows = sum(1 for _ in file) - 1
        print(f"{rows:>10,} written   {resident():8.1f} MB  {time.monotonic() - began:6.0f} s")
        assert rows == count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("time", "memory"), default="time")
    parser.add_argument("rows", nargs="?", type=int)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.what == "memory":
        memory(arguments.rows or 1_000_000)
    else:
        times(arguments.rounds, arguments.rows or 400)


if __name__ == "__main__":
    main()
