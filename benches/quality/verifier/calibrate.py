"""Turns the model's logits into probabilities, and chooses from where on a stored answer serves.

    python benches/quality/verifier/calibrate.py MODEL.pt [--most-wrong 0.005] [--both-orders]

Looks at authors who taught nothing (``data.CALIBRATE``), as the cache does: one question a group is stored, the others are
asked; all-MiniLM proposes six candidates, those that the guards' facts let pass are judged by the quantised model. Writes
``MODEL.calibration.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import headrace
import numpy as np
import torch
from data import CALIBRATE, QUESTIONS, vectors
from model import Verifier, batch, encode, tokenizer
from pairs import Group, read
from quantise import quantised

CANDIDATES = 6
#: Of the cache: how much an entry that looks right too speaks against the best (`src/cache/verify/local/rivals.rs`).
RIVAL_WEIGHT = 4.0


@dataclass(frozen=True)
class Asked:
    """A set as the cache meets it: candidates of each question asked, the nearest first."""

    author: str
    pairs: list[tuple[str, str]]
    #: One row a question asked, one column a candidate.
    is_right: np.ndarray
    passes: np.ndarray
    possible: int


def asked(author: str, groups: list[Group]) -> Asked:
    """Store one question of each group, ask the others and those that are alone in their group."""
    stored, questions = {}, {}
    for group in sorted(groups, key=lambda group: group["group"]):
        wordings = sorted(set(group["questions"]), key=lambda question: hashlib.sha256(question.encode()).digest())
        if wordings[1:]:
            stored[wordings[0]] = group["group"]
        questions.update(dict.fromkeys(wordings[1:] or wordings, group["group"]))
    known, put = list(stored), list(questions)
    nearest = np.argsort(-(vectors(put) @ vectors(known).T), 1)[:, :CANDIDATES]
    pairs = [(question, known[place]) for question, row in zip(put, nearest, strict=True) for place in row]
    right = np.array([stored[other] == questions[question] for question, other in pairs])
    facts = np.array([passes_facts(*pair) for pair in pairs])
    have = set(stored.values())
    shape = nearest.shape
    possible = sum(group in have for group in questions.values())
    return Asked(author, pairs, right.reshape(shape), facts.reshape(shape), possible)


def passes_facts(question: str, other: str) -> bool:
    """Whether the guards' facts let a stored question pass."""
    cache = headrace.SemanticCache(verifier=None)
    cache.put(other, "", embedding=[1.0, 0.0])
    return cache.get(question, embedding=[1.0, 0.0]) is not None


@torch.no_grad()
def logits(net: Verifier, pairs: list[tuple[str, str]], both_orders: bool) -> np.ndarray:
    """The model's logit of each pair."""
    words, out = tokenizer(), np.zeros(len(pairs))
    for turned in (False, True) if both_orders else (False,):
        items = encode(words, [(other, one) for one, other in pairs] if turned else pairs)
        order = sorted(range(len(items)), key=lambda place: len(items[place][0]))
        for start in range(0, len(order), 128):
            places = order[start : start + 128]
            out[places] += net(*batch([items[place] for place in places])).numpy()
    return out / (2 if both_orders else 1)


def confidence(log_odds: np.ndarray, passes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best candidate of each question and the log odds that it serves, its rivals weighed in."""
    odds = np.where(passes, log_odds, -30.0)
    best = odds.argmax(1)
    others = odds.copy()
    others[np.arange(len(odds)), best] = -30.0
    return best, odds.max(1) - 0.5 * np.log1p(RIVAL_WEIGHT * np.exp(others).sum(1))


def platt(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the logistic curve that fits best (Platt, 1999), by Newton's method."""
    x = np.stack([scores, np.ones_like(scores)], 1)
    weights = np.zeros(2)
    for _ in range(50):
        likely = 1 / (1 + np.exp(-x @ weights))
        curve = (x * (likely * (1 - likely))[:, None]).T @ x + 1e-6 * np.eye(2)
        weights -= np.linalg.solve(curve, x.T @ (likely - same))
    return float(weights[0]), float(weights[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--most-wrong", type=float, default=0.005, help="share of all questions answered wrongly")
    parser.add_argument("--both-orders", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net = quantised(Verifier.load(args.model))
    sets = [asked(author, read(QUESTIONS / f"{author}.json")) for author in CALIBRATE]
    scores = [logits(net, each.pairs, args.both_orders).reshape(each.is_right.shape) for each in sets]
    passing = np.concatenate([score[each.passes] for score, each in zip(scores, sets, strict=True)])
    slope, offset = platt(passing, np.concatenate([each.is_right[each.passes] for each in sets]))
    served, right = [], []
    for score, each in zip(scores, sets, strict=True):
        best, sure = confidence(slope * score + offset, each.passes)
        served.append(sure)
        right.append(each.is_right[np.arange(len(best)), best])
    sure, is_right = np.concatenate(served), np.concatenate(right)
    order = np.argsort(-sure)
    wrong = np.cumsum(~is_right[order]) / len(order)
    allowed = np.flatnonzero(wrong <= args.most_wrong)
    same_at = float(1 / (1 + np.exp(-sure[order[allowed[-1]]])))
    possible = sum(each.possible for each in sets)
    for share in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05):
        at = np.flatnonzero(wrong <= share)[-1]
        found = is_right[order[: at + 1]].sum() / possible
        print(f"wrong {share}: coverage {found:.3f} from probability {1 / (1 + np.exp(-sure[order[at]])):.4f}")
    knots = np.linspace(-8, 8, 65)
    calibration = {
        "name": f"headrace-verifier-{args.model.stem}",
        "both_orders": args.both_orders,
        "same_at": round(same_at, 4),
        "different_at": 0.05,
        "logit": knots.tolist(),
        "probability": (1 / (1 + np.exp(-(slope * knots + offset)))).tolist(),
    }
    args.model.with_suffix(".calibration.json").write_text(json.dumps(calibration, indent=1))
    print(f"slope {slope:.3f}, offset {offset:.3f}, serves from {same_at:.4f}")


if __name__ == "__main__":
    main()
