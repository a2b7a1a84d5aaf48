"""What a bounded cache saves under Zipf traffic: its own eviction beside least-recently-used.

Questions follow Zipf's law (exponent 1); an answer's cost is log-normal (its dearest tenth costs some 20 times its
cheapest) and its size is log-normal too. The measure is the share of the cost that hits saved.

    python benches/peers/eviction.py
"""

from __future__ import annotations

from collections import OrderedDict

import headrace
import numpy as np

QUESTIONS, REQUESTS = 20_000, 100_000
OVERHEAD = 400


def traffic(seed: int, *, scan: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, QUESTIONS + 1)
    asked = rng.choice(QUESTIONS, REQUESTS, p=weights / weights.sum())
    if scan:  # Every tenth request is asked once and never again, as a batch job over new documents does.
        asked[::10] = QUESTIONS + np.arange(len(asked[::10]))
    most = int(asked.max()) + 1
    return asked, rng.lognormal(-7, 1.2, most), rng.lognormal(7, 0.8, most).astype(int)


def lru(asked: np.ndarray, cost: np.ndarray, size: np.ndarray, most: int) -> tuple[float, float]:
    held: OrderedDict[int, int] = OrderedDict()
    used = saved = hits = 0.0
    for question in asked:
        if question in held:
            held.move_to_end(question)
            saved += cost[question]
            hits += 1
            continue
        held[question] = int(size[question]) + OVERHEAD
        used += held[question]
        while used > most:
            used -= held.popitem(last=False)[1]
    return saved / cost[asked].sum(), hits / len(asked)


def own(asked: np.ndarray, cost: np.ndarray, size: np.ndarray, most: int) -> tuple[float, float]:
    cache = headrace.SemanticCache(max_bytes=most)
    saved = hits = 0.0
    for question in asked:
        prompt = str(question)
        if cache.get(prompt) is not None:
            saved += cost[question]
            hits += 1
        else:
            cache.put(prompt, b"x" * int(size[question]), cost=f"{cost[question]:.12f}")
    return saved / cost[asked].sum(), hits / len(asked)


if __name__ == "__main__":
    for scan in (False, True):
        for share in (0.02, 0.05, 0.20):
            rows = []
            for seed in range(3):
                asked, cost, size = traffic(seed, scan=scan)
                most = int(share * (size[:QUESTIONS] + OVERHEAD).sum())
                rows.append([*lru(asked, cost, size, most), *own(asked, cost, size, most)])
            lru_cost, lru_hits, own_cost, own_hits = np.median(rows, axis=0)
            print(
                f"room for {share:.0%} of the questions{', every tenth asked once' if scan else ''}: "
                f"cost saved {own_cost:.1%} (LRU {lru_cost:.1%}), hits {own_hits:.1%} (LRU {lru_hits:.1%})"
            )
