"""The semantic cache's lookups beside FAISS's exact index and numpy: one thread, the same vectors, taken in turns.

Vectors are a mixture of Gaussians with a power-law spectrum and a common mean, as text embeddings have. Half of the
questions are near a stored vector (cosine 0.86 to 0.95), half are not. Every answer is checked against FAISS's.

    python benches/peers/cache.py            # the small ones: under a minute
    python benches/peers/cache.py --all      # up to 100,000 x 1536 and 1,000,000 x 384: some 6 GB and minutes
"""

from __future__ import annotations

import argparse
import os
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import faiss
import headrace
import numpy as np

SMALL = [(1_000, 384, 0.5, 0.9, 0.85), (10_000, 384, 0.5, 0.9, 0.85), (10_000, 1536, 0.5, 0.9, 0.85)]
LARGE = [
    (100_000, 1536, 0.5, 0.9, 0.85),
    (100_000, 1536, 2.2, 0.8, 0.85),
    (100_000, 1536, 0.5, 0.9, 0.65),
    (1_000_000, 384, 0.5, 0.9, 0.85),
]
BATCH = 64


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Source:
    """Draws vectors like those of texts."""

    def __init__(self, count: int, dimension: int, mean: float, spread: float) -> None:
        self.rng = np.random.default_rng(count + dimension)
        spectrum = (np.arange(1, dimension + 1) ** -0.35).astype(np.float32)
        spectrum /= np.sqrt((spectrum**2).sum())
        turn = np.linalg.qr(self.rng.standard_normal((dimension, dimension)))[0].astype(np.float32)
        self.shape = spectrum[:, None] * turn.T
        self.mean = self.normal(1) * mean
        self.centres = self.normal(max(32, count // 40))
        self.spread = spread

    def normal(self, count: int) -> np.ndarray:
        return self.rng.standard_normal((count, len(self.shape)), dtype=np.float32) @ self.shape

    def draw(self, count: int) -> np.ndarray:
        centres = self.centres[self.rng.integers(0, len(self.centres), count)]
        return unit(self.mean + centres + self.spread * self.normal(count))

    def near(self, rows: np.ndarray) -> np.ndarray:
        cosine = self.rng.uniform(0.86, 0.95, (len(rows), 1)).astype(np.float32)
        other = unit(self.normal(len(rows)))
        other = unit(other - (other * rows).sum(1, keepdims=True) * rows)
        return unit(cosine * rows + np.sqrt(1 - cosine**2) * other)


def measure(count: int, dimension: int, mean: float, spread: float, threshold: float) -> None:
    source = Source(count, dimension, mean, spread)
    rows = np.concatenate([source.draw(min(20_000, count - at)) for at in range(0, count, 20_000)])
    near = source.near(rows[source.rng.integers(0, count, BATCH)])
    queries = np.ascontiguousarray(np.concatenate([near, source.draw(BATCH)])[source.rng.permutation(2 * BATCH)])
    index = faiss.IndexFlatIP(dimension)
    index.add(rows)
    cache = headrace.SemanticCache(threshold=threshold, guards=False)
    start = time.perf_counter()
    cache.put_many([f"p{i}" for i in range(count)], list(range(count)), embeddings=rows)
    filled = count / (time.perf_counter() - start)
    times: dict[str, list[float]] = {"faiss": [], "numpy": [], "headrace": []}
    wrong = 0
    for i, query in enumerate(queries):
        t0 = time.perf_counter()
        best = float(index.search(query[None], 1)[0][0, 0])
        t1 = time.perf_counter()
        hit = cache.get(f"q{i}", embedding=query)
        t2 = time.perf_counter()
        float((rows @ query).max())
        t3 = time.perf_counter()
        for name, taken in (("faiss", t1 - t0), ("headrace", t2 - t1), ("numpy", t3 - t2)):
            times[name].append(taken)
        if abs(best - threshold) > 1e-5:
            wrong += (hit is not None) != (best >= threshold)
            wrong += hit is not None and abs(hit.similarity - best) > 1e-5
    many: dict[str, list[float]] = {"faiss": [], "headrace": []}
    for at in (0, BATCH, 0):
        batch = queries[at : at + BATCH]
        t0 = time.perf_counter()
        index.search(batch, 1)
        t1 = time.perf_counter()
        cache.get_many([f"q{i}" for i in range(BATCH)], embeddings=batch)
        many["faiss"].append(t1 - t0)
        many["headrace"].append(time.perf_counter() - t1)
    middle = {name: float(np.median(taken)) * 1e6 for name, taken in times.items()}
    batched = {name: float(np.median(taken)) / BATCH * 1e6 for name, taken in many.items()}
    print(
        f"{count:>9,} x {dimension:<5} mean {mean} spread {spread} threshold {threshold}: "
        f"FAISS {middle['faiss']:,.0f} us, numpy {middle['numpy']:,.0f} us, headrace {middle['headrace']:,.0f} us "
        f"(p99 {np.percentile(times['headrace'], 99) * 1e6:,.0f}), {middle['faiss'] / middle['headrace']:.1f}x; "
        f"{BATCH} at once: FAISS {batched['faiss']:,.0f} us each, headrace {batched['headrace']:,.0f}, "
        f"{batched['faiss'] / batched['headrace']:.1f}x; filled at {filled:,.0f} rows/s; wrong answers {wrong}",
        flush=True,
    )
    if wrong:
        raise SystemExit("a lookup differs from FAISS's")


def exact() -> None:
    cache = headrace.SemanticCache()
    prompts = [f"What were the Scope {i % 3 + 1} emissions of site {i}?" for i in range(100_000)]
    cache.put_many(prompts, list(range(100_000)))
    asked = [prompts[i] for i in np.random.default_rng(0).permutation(100_000)]
    plain = dict.fromkeys(prompts, 1)
    for name, get in (("headrace", cache.get), ("dict", plain.get)):
        start = time.perf_counter()
        for prompt in asked:
            get(prompt)
        print(f"exact repeat among 100,000, {name}: {(time.perf_counter() - start) * 10:.2f} us")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", type=int, default=None, help="one of the large ones, by its place")
    given = parser.parse_args()
    faiss.omp_set_num_threads(1)
    exact()
    chosen = [LARGE[given.only]] if given.only is not None else SMALL + LARGE * given.all
    for case in chosen:
        measure(*case)
