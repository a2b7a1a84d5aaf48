"""What a client adds to a bare call: headrace, TensorZero's embedded gateway and LiteLLM, in turns, in one process.

    python benches/peers/client.py                  # all three tables: about three minutes
    python benches/peers/client.py alone            # one call at a time
    python benches/peers/client.py threads tasks    # 64 threads at once; 64 asyncio tasks at once

All of them ask the same simulated provider, which answers at once and runs in a process of its own. Each call sends the
same messages and parameters and reads the text and the usage; nothing is cached. The bare call, from which `added` is
counted, writes and reads the JSON and keeps its connection: `http.client`, and asyncio's streams for the tasks. headrace
books each call's cost, LiteLLM computes it; TensorZero is set up without a database, and so keeps nothing.

`added` is the median over the rounds of the difference of the medians, `processor` the processor time of this process
for one call, with what was put off until after the answer. The ratios are to headrace: of what is added, of the whole
call, and of the processor time. Where headrace adds nothing, there is no ratio of what is added.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

# Before the peers: it says that nothing may leave the machine.
from behind import MODEL, provider

# TensorZero writes each start to stdout.
os.environ.setdefault("RUST_LOG", "warn")

import headrace

AT_ONCE = 64
# Calls of each place in a round.
EACH, EACH_ALONE = 4, 50
SYSTEM = "You read sustainability reports. Answer in one sentence, with the figure, its unit and its year."
QUESTION = (
    "What were the scope 1 and scope 2 emissions of the group in 2024, market-based, and how did they change? " * 4
)
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
PARAMETERS = {"temperature": 0.0, "max_tokens": 512}

# The text, the tokens of the input, the tokens of the output.
Answer = tuple[str, int, int]


@dataclass
class Subject:
    """One way to ask; a place, from 0 to 63, is given to those who ask at the same time."""

    name: str
    call: Callable[[int], Answer]
    acall: Callable[[int], Awaitable[Answer]]


def request_body() -> bytes:
    return json.dumps({"model": MODEL, "messages": MESSAGES, **PARAMETERS}).encode()


def read(reply: dict) -> Answer:
    usage = reply["usage"]
    return reply["choices"][0]["message"]["content"], usage["prompt_tokens"], usage["completion_tokens"]


def bare(url: str) -> Subject:
    address = urlsplit(url)
    path, host, port = f"{address.path}/chat/completions", address.hostname, address.port
    kept = [http.client.HTTPConnection(host, port) for _ in range(AT_ONCE)]
    streams: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    def call(place: int) -> Answer:
        connection = kept[place]
        connection.request("POST", path, request_body(), {"Content-Type": "application/json"})
        return read(json.loads(connection.getresponse().read()))

    async def acall(place: int) -> Answer:
        if place not in streams:
            streams[place] = await asyncio.open_connection(host, port)
        reader, writer = streams[place]
        body = request_body()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        fields = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(fields.split(b"content-length:")[1].split(b"\r\n")[0])
        return read(json.loads(await reader.readexactly(length)))

    return Subject("bare", call, acall)


def ours(url: str) -> Subject:
    prices = headrace.PriceTable.builtin()
    prices.set(f"openai/{MODEL}", input="0.15", output="0.6")
    provider = headrace.providers.OpenAICompatible(url, name="openai", api_key="none")
    client = headrace.Client(provider, costs=headrace.CostTracker(prices=prices))

    def told(response: headrace.Response) -> Answer:
        return response.text, response.usage.input_tokens, response.usage.output_tokens

    def call(_place: int) -> Answer:
        return told(client.chat(f"openai/{MODEL}", MESSAGES, cache=False, **PARAMETERS))

    async def acall(_place: int) -> Answer:
        return told(await client.achat(f"openai/{MODEL}", MESSAGES, cache=False, **PARAMETERS))

    return Subject("headrace", call, acall)


def with_httpx(url: str) -> Subject:
    import httpx

    limits = httpx.Limits(max_keepalive_connections=AT_ONCE)
    client, aclient = httpx.Client(limits=limits), httpx.AsyncClient(limits=limits)
    where, headers = f"{url}/chat/completions", {"Content-Type": "application/json"}

    def call(_place: int) -> Answer:
        return read(client.post(where, content=request_body(), headers=headers).json())

    async def acall(_place: int) -> Answer:
        return read((await aclient.post(where, content=request_body(), headers=headers)).json())

    return Subject("httpx", call, acall)


TENSORZERO = """
[gateway]
observability.enabled = false
disable_pseudonymous_usage_analytics = true

[models.mock]
routing = ["mock"]

[models.mock.providers.mock]
type = "openai"
model_name = "{model}"
api_base = "{url}"
api_key_location = "none"
"""


def tensorzero(url: str) -> Subject:
    from tensorzero import AsyncTensorZeroGateway, TensorZeroGateway

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tensorzero.toml"
        file.write_text(TENSORZERO.format(model=MODEL, url=url), encoding="utf-8")
        gateway = TensorZeroGateway.build_embedded(config_file=str(file))
        agateway = AsyncTensorZeroGateway.build_embedded(config_file=str(file), async_setup=False)
    asked = {
        "model_name": "mock",
        "input": {"system": SYSTEM, "messages": MESSAGES[1:]},
        "params": {"chat_completion": PARAMETERS},
    }

    def told(response: object) -> Answer:
        return response.content[0].text, response.usage.input_tokens, response.usage.output_tokens

    def call(_place: int) -> Answer:
        return told(gateway.inference(**asked))

    async def acall(_place: int) -> Answer:
        return told(await agateway.inference(**asked))

    return Subject("tensorzero", call, acall)


def with_litellm(url: str) -> Subject:
    import litellm

    litellm.suppress_debug_info = True
    price = {"input_cost_per_token": 0.15e-6, "output_cost_per_token": 0.6e-6}
    # Without prices of the cache it warns.
    unused = {"cache_creation_input_token_cost": 0.0, "cache_read_input_token_cost": 0.0}
    litellm.register_model({f"openai/{MODEL}": {**price, **unused, "litellm_provider": "openai", "mode": "chat"}})
    asked = {"model": f"openai/{MODEL}", "messages": MESSAGES, "api_base": url, "api_key": "none", **PARAMETERS}

    def told(response: litellm.ModelResponse) -> Answer:
        return response.choices[0].message.content, response.usage.prompt_tokens, response.usage.completion_tokens

    def call(_place: int) -> Answer:
        return told(litellm.completion(**asked))

    async def acall(_place: int) -> Answer:
        return told(await litellm.acompletion(**asked))

    return Subject("litellm", call, acall)


def subjects(url: str) -> list[Subject]:
    """Those that work here, the bare call first; each must have given the bare call's answer."""
    floor, mine = bare(url), ours(url)
    expected = floor.call(0)
    if (answer := mine.call(0)) != expected:
        raise SystemExit(f"headrace gave {answer}, the bare call {expected}")
    found = [floor, mine]
    for name, make in {"httpx": with_httpx, "tensorzero": tensorzero, "litellm": with_litellm}.items():
        try:
            peer = make(url)
            answer = peer.call(0)
        except ImportError as error:
            print(f"{name} is left out: {error}: pip install -r benches/requirements.txt")
        except Exception as error:
            # Whatever a peer wants besides (a network, a database), the others are still measured.
            print(f"{name} is left out: it does not work here: {type(error).__name__}: {error}")
        else:
            if answer == expected:
                found.append(peer)
            else:
                print(f"{name} is left out: it gave {answer}, the bare call {expected}")
    return found


@dataclass
class Turn:
    """One subject's share of a round: the seconds of each call, of all of them, and of the processor for one."""

    calls: list[float]
    whole: float
    processor: float


def settled(rest: Callable[[float], object]) -> None:
    """Wait for what a subject put off, so that the next one does not pay for it."""
    for _ in range(50):
        before = time.process_time()
        rest(0.02)
        if time.process_time() - before < 0.001:
            return


def turn(work: Callable[[], list[float]], rest: Callable[[float], object]) -> Turn:
    processor, start = time.process_time(), time.perf_counter()
    calls = work()
    whole = time.perf_counter() - start
    settled(rest)
    return Turn(calls, whole, (time.process_time() - processor) / len(calls))


def timed(subject: Subject, place: int, count: int) -> list[float]:
    took = []
    for _ in range(count):
        start = time.perf_counter()
        subject.call(place)
        took.append(time.perf_counter() - start)
    return took


async def atimed(subject: Subject, place: int, count: int) -> list[float]:
    took = []
    for _ in range(count):
        start = time.perf_counter()
        await subject.acall(place)
        took.append(time.perf_counter() - start)
    return took


def alone(found: list[Subject], rounds: int) -> None:
    def work(subject: Subject) -> Turn:
        return turn(lambda: timed(subject, 0, EACH_ALONE), time.sleep)

    report("one call at a time", found, work, rounds)


def in_threads(found: list[Subject], rounds: int) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        together = threading.Barrier(AT_ONCE)

        def work(subject: Subject) -> Turn:
            def side(place: int) -> list[float]:
                together.wait()
                return timed(subject, place, EACH)

            return turn(lambda: [one for calls in pool.map(side, range(AT_ONCE)) for one in calls], time.sleep)

        report(f"{AT_ONCE} threads at once", found, work, rounds)


def in_tasks(found: list[Subject], rounds: int) -> None:
    loop = asyncio.new_event_loop()

    async def all_of(subject: Subject) -> list[float]:
        sides = await asyncio.gather(*(atimed(subject, place, EACH) for place in range(AT_ONCE)))
        return [one for calls in sides for one in calls]

    def work(subject: Subject) -> Turn:
        return turn(
            lambda: loop.run_until_complete(all_of(subject)),
            lambda seconds: loop.run_until_complete(asyncio.sleep(seconds)),
        )

    try:
        report(f"{AT_ONCE} asyncio tasks at once", found, work, rounds)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


def report(title: str, found: list[Subject], work: Callable[[Subject], Turn], rounds: int) -> None:
    for subject in found:
        work(subject)
    # The peers' modules are many objects: a collection that one subject sets off must not walk all of them.
    gc.collect()
    gc.freeze()
    turns: defaultdict[str, list[Turn]] = defaultdict(list)
    for number in range(rounds):
        first = number % len(found)
        for subject in found[first:] + found[:first]:
            turns[subject.name].append(work(subject))
    floor = [statistics.median(turn.calls) for turn in turns["bare"]]
    # What it adds, what a whole call takes, what the processor does for it: seconds.
    figures: dict[str, tuple[float, float, float]] = {}
    for name, all_turns in turns.items():
        medians = [statistics.median(turn.calls) for turn in all_turns]
        added = statistics.median(one - least for one, least in zip(medians, floor, strict=True))
        processor = statistics.median(turn.processor for turn in all_turns)
        figures[name] = added, statistics.median(medians), processor
    count = sum(len(turn.calls) for turn in turns["headrace"])
    print(f"\n{title}, {count:,} calls each in {rounds} rounds")
    print(
        f"{'ms':<11}{'median':>9}{'p99':>9}{'added':>9}{'processor':>11}{'calls/s':>9}   ratio of added, whole, processor"
    )
    for name, all_turns in turns.items():
        added, whole, processor = (seconds * 1000 for seconds in figures[name])
        pooled = sorted(one for turn in all_turns for one in turn.calls)
        p99 = pooled[int(0.99 * (len(pooled) - 1))] * 1000
        rate = statistics.median(len(turn.calls) / turn.whole for turn in all_turns)
        ratios = "".join(
            f"{other / mine:>8.2f}" if mine > 0 and other > 0 else f"{'-':>8}"
            for other, mine in zip(figures[name], figures["headrace"], strict=True)
        )
        print(f"{name:<11}{whole:>9.3f}{p99:>9.3f}{added:>9.3f}{processor:>11.3f}{rate:>9,.0f}   {ratios}")


TABLES = {"alone": alone, "threads": in_threads, "tasks": in_tasks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="*", choices=[*TABLES, []])
    parser.add_argument("--rounds", type=int, default=15, help="a round is 50 calls of each one at a time, 256 at once")
    arguments = parser.parse_args()
    with provider() as url:
        found = subjects(url)
        for name in arguments.which or TABLES:
            TABLES[name](found, arguments.rounds)


main()
