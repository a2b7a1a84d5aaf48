"""Trains the verifier: on pairs, then on lists of rivals; on the CPU, or on an accelerator where torch finds one.

    pip install -r benches/quality/verifier/requirements.txt
    python benches/quality/verifier/train.py --out verifier.pt [--hold AUTHOR,...] [--threads 2]

The pairs teach what is the same. The lists, drawn anew for each pass, teach what the cache asks: which of these stored
questions has the answer, or none; in the last passes a third of them are edited in a way that changes no answer. Weights are bfloat16 with a float32 copy that is updated; word vectors stay as they are.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from data import FRAMES, QUESTIONS, TEACH, TEMPLATES, TEMPLATES_THAT_JUDGE, vectors
from edits import edited
from frames import Frames
from model import Encoded, Verifier, batch, encode, tokenizer
from pairs import Group, QuestionPair, Rivals, of_templates, pairs, questions, read, rivals
from torch import Tensor
from torch.nn import functional

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SMOOTHING = 0.02
#: What a pair of templates counts beside a pair by hand: it is easier.
TEMPLATE_WEIGHT = 0.6
WARM_UP = 0.06
#: What the loss of pairs counts beside that of lists.
PAIR_LOSS = 0.7
#: The share of lists with edits.
EDITED = 0.35


class Trainer:
    """A model in bfloat16 beside its weights in float32, and the steps that it has taken."""

    def __init__(self, net: Verifier, rate: float, steps: int) -> None:
        self.net, self.rate, self.steps, self.done = net.to(DEVICE).train(), rate, steps, 0
        net.word.weight.requires_grad_(False)
        self.names = [name for name, value in net.named_parameters() if value.requires_grad]
        self.exact = [value.detach().clone().float() for value in net.parameters() if value.requires_grad]
        net.bfloat16()
        self.rough = [value for value in net.parameters() if value.requires_grad]
        self.optimizer = torch.optim.AdamW(self.exact, lr=rate, weight_decay=0.01, fused=True)
        self.started, self.losses = time.monotonic(), 0.0

    def step(self, loss: Tensor) -> None:
        """One update: the rate rises for the first steps and falls to the end."""
        for value in self.rough:
            value.grad = None
        loss.backward()
        for exact, rough in zip(self.exact, self.rough, strict=True):
            exact.grad = None if rough.grad is None else rough.grad.float()
        torch.nn.utils.clip_grad_norm_(self.exact, 1.0)
        share = min(1.0, (self.done + 1) / (WARM_UP * self.steps)) * max(0.02, 1 - self.done / self.steps)
        self.optimizer.param_groups[0]["lr"] = self.rate * share
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(self.rough, self.exact)
        self.done += 1
        self.losses += loss.item()
        if self.done % 50 == 0:
            seconds = time.monotonic() - self.started
            print(f"{self.done}/{self.steps}  loss {self.losses / 50:.4f}  {seconds:.0f} s", flush=True)
            self.losses = 0.0

    def state(self) -> dict[str, Tensor]:
        """The float32 weights by name."""
        exact = dict(zip(self.names, self.exact, strict=True))
        return {name: exact.get(name, value.detach().float()).cpu() for name, value in self.net.named_parameters()}


def score(net: Verifier, items: list[Encoded]) -> Tensor:
    """The logits of a batch."""
    ids, segment, match, present = (part.to(DEVICE) for part in batch(items))
    return net(ids, segment, match, present).float()


def batches(lengths: list[int], sizes: list[int], tokens: int, draw: random.Random) -> list[list[int]]:
    """Places of like length, together about so many tokens wide, in random order."""
    order = sorted(range(len(lengths)), key=lambda place: lengths[place] + draw.random() * 4)
    made: list[list[int]] = [[]]
    width = 0
    for place in order:
        if width >= tokens:
            made.append([])
            width = 0
        made[-1].append(place)
        width += lengths[place] * sizes[place]
    draw.shuffle(made)
    return made


def teach_pairs(
    state: dict[str, Tensor] | None, taught: list[QuestionPair], args: argparse.Namespace
) -> dict[str, Tensor]:
    """The first part: is this pair the same?"""
    draw = random.Random(args.seed)
    items = encode(tokenizer(), [(pair.asked, pair.stored) for pair in taught])
    same = torch.tensor([float(pair.same) for pair in taught]) * (1 - 2 * SMOOTHING) + SMOOTHING
    weight = torch.tensor([TEMPLATE_WEIGHT if pair.origin == "template" else 1.0 for pair in taught])
    lengths = [len(item[0]) for item in items]

    def epoch() -> list[list[int]]:
        return batches(lengths, [1] * len(items), args.tokens, draw)

    def loss(net: Verifier, places: list[int]) -> Tensor:
        out = score(net, [items[place] for place in places])
        each = functional.binary_cross_entropy_with_logits(out, same[places].to(DEVICE), reduction="none")
        return (each * weight[places].to(DEVICE)).mean()

    return run(state, loss, epoch, args.pair_epochs, args.pair_rate)


def teach_lists(
    state: dict[str, Tensor] | None, drawn: Callable[[], list[Rivals]], args: argparse.Namespace
) -> dict[str, Tensor]:
    """Which of these is the same, or none? Beside it the loss of the pairs, weighed less."""
    draw = random.Random(args.seed + 1)
    spans: list[tuple[int, int, bool]] = []
    items: list[Encoded] = []

    def epoch() -> list[list[int]]:
        spans.clear()
        flat = []
        for one in drawn():
            stored = [*([one.right] if one.right else []), *one.wrong]
            spans.append((len(flat), len(flat) + len(stored), one.right is not None))
            flat += [(one.asked, other) if draw.random() < 0.5 else (other, one.asked) for other in stored]
        items[:] = encode(tokenizer(), flat)
        lengths = [max(len(items[place][0]) for place in range(start, end)) for start, end, _ in spans]
        return batches(lengths, [end - start for start, end, _ in spans], args.tokens, draw)

    def loss(net: Verifier, places: list[int]) -> Tensor:
        out = score(net, [items[at] for place in places for at in range(*spans[place][:2])])
        lists, same, at = [], [], 0
        for place in places:
            start, end, has_right = spans[place]
            # The last place stands for none of them.
            likely = torch.log_softmax(torch.cat([out[at : at + end - start], torch.zeros(1, device=DEVICE)]), 0)
            target = 0 if has_right else end - start
            lists.append(-(1 - SMOOTHING) * likely[target] - SMOOTHING * likely.mean())
            same += [1.0] * has_right + [0.0] * (end - start - has_right)
            at += end - start
        expected = torch.tensor(same, device=DEVICE) * (1 - 2 * SMOOTHING) + SMOOTHING
        pairwise = functional.binary_cross_entropy_with_logits(out, expected)
        return torch.stack(lists).mean() + PAIR_LOSS * pairwise

    return run(state, loss, epoch, args.list_epochs, args.list_rate)


def with_edits(one: Rivals, draw: random.Random) -> Rivals:
    """A third of the lists: the right one is an edit of a wording or of the question itself, and the wrong are edited too."""
    if draw.random() >= EDITED:
        return one
    right = edited(draw.choice([one.asked, one.asked, one.right]) if one.right else one.asked, draw)
    has_right = right != one.asked and (one.right is not None or draw.random() < 0.5)
    return Rivals(
        one.asked,
        right if has_right else None,
        [edited(other, draw) if draw.random() < 0.5 else other for other in one.wrong],
    )


def run(
    state: dict[str, Tensor] | None,
    loss: Callable[[Verifier, list[int]], Tensor],
    epoch: Callable[[], list[list[int]]],
    epochs: float,
    rate: float,
) -> dict[str, Tensor]:
    """Steps through the epochs, from all-MiniLM or from a state."""
    net = Verifier.from_minilm([0, 1, 2, 3, 4, 5])
    if state is not None:
        net.load_state_dict(state)
    steps = int(len(epoch()) * epochs)
    trainer = Trainer(net, rate, steps)

    def forever() -> Iterator[list[int]]:
        while True:
            yield from epoch()

    for places in forever():
        trainer.step(loss(trainer.net, places))
        if trainer.done >= steps:
            return trainer.state()
    raise AssertionError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hold", default="", help="authors that do not teach this time, with commas")
    parser.add_argument("--pair-epochs", type=float, default=4)
    parser.add_argument("--list-epochs", type=float, default=4)
    parser.add_argument("--lists-of-frames", type=int, default=2000, help="of each author of frames, a pass")
    parser.add_argument("--pair-rate", type=float, default=1.5e-4)
    parser.add_argument("--list-rate", type=float, default=8e-5)
    parser.add_argument("--tokens", type=int, default=4500, help="tokens a batch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    draw = random.Random(args.seed)
    taught: list[QuestionPair] = []
    authors: list[tuple[list[Group], np.ndarray]] = []
    for author in (author for author in TEACH if author not in args.hold.split(",")):
        groups = read(QUESTIONS / f"{author}.json")
        near = vectors(questions(groups))
        found = list(pairs(groups, near, draw, near=1 if author == "confusable" else 3))
        print(f"{author}: {len(found)} pairs, {sum(pair.same for pair in found)} the same", flush=True)
        taught += found
        authors.append((groups, near))
    templates = json.loads(TEMPLATES.read_text(encoding="utf-8"))
    for name in list(templates)[-TEMPLATES_THAT_JUDGE:]:
        del templates[name]
    taught += of_templates(templates, 3, draw)
    frames = [Frames.read(file) for file in sorted(FRAMES.glob("*.json"))]

    def lists() -> list[Rivals]:
        """Of all authors, with other rivals in each pass."""
        by_hand = [one for groups, near in authors for one in rivals(groups, near, draw)]
        filled = [one for author in frames for one in author.rivals(args.lists_of_frames, draw)]
        return [with_edits(one, draw) for one in by_hand + filled]

    print(f"{len(taught)} pairs, {len(authors)} authors, {len(frames)} of frames, on {DEVICE}", flush=True)
    state = teach_pairs(None, taught, args)
    torch.save({"state": state, "layers": 6, "args": vars(args)}, args.out)
    state = teach_lists(state, lists, args)
    torch.save({"state": state, "layers": 6, "args": vars(args)}, args.out)


if __name__ == "__main__":
    main()
