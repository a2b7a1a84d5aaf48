"""The notebooks of examples/ run from the first cell to the last, without a key, and are kept without outputs."""

import ast
import json
import os
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples" / "notebooks").glob("*.ipynb"))
KEYS = ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY")
# Words that must be in the outputs of each.
SAID = {
    "quick_start": ["exact    0 USD", "semantic 0 USD", "year 2024 differs from 2023", "does not fit", "CostTracker:"],
    "frame_of_questions": ["MapEstimate", "budget", "USD before"],
    "costs_and_carbon": ["CostTracker:", "image/png", "cost_usd", "forecast to"],
}


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_each_notebook_is_known():
    assert {path.stem for path in NOTEBOOKS} == set(SAID)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    for cell in code:
        ast.parse("".join(cell["source"]))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# How Jupyter's own packages close their sockets and loops is theirs.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_notebook_runs_without_a_key(path, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    # No way out: what would ask the internet fails at once.
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    told = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    written = os.environ.get("HEADRACE_NOTEBOOKS")
    if written:
        nbformat.write(told, Path(written) / path.name)
    outputs = [output for cell in told.cells if cell.cell_type == "code" for output in cell.outputs]
    # Nothing red under a cell.
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    text = json.dumps(outputs)
    assert [words for words in SAID[path.stem] if words not in text] == []
