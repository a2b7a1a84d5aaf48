"""The offline embedder against the package whose vectors it reads, and what any callable must return."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import multiprocessing
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from headrace import embedders
from headrace.errors import ConfigError, EmbeddingError
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("wordllama", reason="needs headrace[static]")
PAIRS = Path(__file__).parent / "data" / "fow_pairs_600.jsonl"
ODD = [" lead", " a  b ", "tab\tx\nnew line", "Zürich émission 漢字 😀", "a<s>b", "▁x", "  ", "x" * 500, "trailing "]


@pytest.fixture(scope="module")
def peer():
    """Wordllama itself, from its local files."""
    safetensors = pytest.importorskip("safetensors")
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    root = Path(importlib.util.find_spec("wordllama").origin).parent
    with safetensors.safe_open(str(root / "weights" / "l2_supercat_256.safetensors"), "np") as file:
        rows = file.get_tensor("embedding.weight")
    tokenizer = Tokenizer.from_file(str(root / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return WordLlamaInference(rows, tokenizer)


def test_equals_wordllama_on_questions(peer):
    texts = [json.loads(line)[side] for line in PAIRS.read_text().splitlines() for side in "ab"] + ODD
    ours, theirs = embedders.static()(texts), peer.embed(texts, norm=True)
    assert ours.shape == (len(texts), 256)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@settings(max_examples=150, deadline=None)
@given(text=st.text(min_size=1, max_size=60))
def test_equals_wordllama_on_any_text(peer, text):
    theirs = peer.embed([text])[0]
    length = np.linalg.norm(theirs)
    expected = theirs / length if length > 0 else theirs
    np.testing.assert_allclose(embedders.static()([text])[0], expected, atol=2e-6)


def test_no_text_and_empty_text():
    embed = embedders.static()
    assert embed([]).shape == (0, 256)
    assert not embed([""]).any()


def test_is_loaded_once_and_says_what_it_is():
    embed = embedders.static()
    assert embed is embedders.static()
    assert embed.dimension == 256
    assert embed.name == "static/l2_supercat_256"
    assert 0 < embed.recommended_threshold < 1
    assert repr(embed) == 'StaticEmbedder("static/l2_supercat_256", dimension=256)'


def test_survives_pickle_and_threads():
    embed = pickle.loads(pickle.dumps(embedders.static()))
    texts = [f"question {number} about water" for number in range(200)]
    expected, seen = embed(texts), []
    threads = [threading.Thread(target=lambda: seen.append(embed(texts))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(np.array_equal(vectors, expected) for vectors in seen)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_survives_fork():
    embed = embedders.static()
    expected = embed(["before the fork"])
    context = multiprocessing.get_context("fork")
    ours, childs = context.Pipe()
    child = context.Process(target=lambda: childs.send(embed(["before the fork", "after the fork"])[:1]))
    child.start()
    assert ours.poll(60)
    assert np.array_equal(ours.recv(), expected)
    child.join(60)
    assert child.exitcode == 0


def test_says_what_to_install_where_the_package_is_absent(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'headrace\[static\]'"):
        embedders.static()


def test_says_which_file_is_missing_or_wrong(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.safetensors is not there"):
        embedders.static(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds no word vectors"):
        embedders.static(tmp_path)


def test_reads_a_model2vec_folder(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    rows = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    save_file({"embeddings": rows}, str(tmp_path / "model.safetensors"))
    model = {"type": "WordLevel", "vocab": {"[UNK]": 0, "water": 1, "waste": 2}, "unk_token": "[UNK]"}
    tokenizer = {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    mean = rows[[1, 2, 2]].mean(axis=0)
    np.testing.assert_allclose(
        embedders.static(tmp_path)(["water waste waste"])[0], mean / np.linalg.norm(mean), atol=1e-6
    )


async def later(texts):
    await asyncio.sleep(0)
    return [[1.0, float(len(text))] for text in texts]


def test_rows_of_any_callable_plain_or_async():
    assert embedders.as_rows([[1, 2], [3, 4]], 2).dtype == np.float32
    assert embedders.as_rows(later(["a", "bb"]), 2).tolist() == [[1, 1], [1, 2]]

    async def inside_a_loop():
        return embedders.as_rows(later(["abc"]), 1)

    assert asyncio.run(inside_a_loop()).tolist() == [[1, 3]]


@pytest.mark.parametrize(("returned", "count"), [([1.0, 2.0], 2), ([[1.0]], 2), ("text", 1), ([[1.0], [1.0, 2.0]], 2)])
def test_rows_of_another_shape_are_refused(returned, count):
    with pytest.raises(EmbeddingError, match="the embedder returned"):
        embedders.as_rows(returned, count)
