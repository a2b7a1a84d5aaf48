"""What is promised on a file, whatever else in the process or beside it opens the same file."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing

import headrace
import pytest

# A room on a file, behind three verbs: write one thing durably, count them.
ROOMS = """
import os, sys, threading, headrace

class Queue:
    def __init__(self, path): self.room = headrace.RequestQueue(f"sqlite:///{path}")
    def write(self, n): self.room.put(n)
    def count(self): return len(self.room)

class Ledger:
    def __init__(self, path): self.room = headrace.CostTracker(url=f"sqlite:///{path}")
    def write(self, n): self.room.record("openai/gpt-4o-mini", headrace.Usage(input_tokens=n + 1))
    def count(self): return sum(1 for _ in self.room.records())

class Cache:
    def __init__(self, path): self.room = headrace.SemanticCache(url=f"sqlite:///{path}")
    def write(self, n): self.room.put(f"question {n}", n)
    def count(self): return len(self.room)

room = globals()[sys.argv[1]](sys.argv[2])
path = sys.argv[2]
"""
NAMES = ["Queue", "Ledger", "Cache"]


def run(name, path, code, *arguments):
    """The code in a process of its own; what it printed."""
    command = [sys.executable, "-c", ROOMS + code, name, str(path), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def count(name, path):
    return int(run(name, path, "print(room.count())")[0])


def ask(path, sql):
    with closing(sqlite3.connect(path)) as other:
        return other.execute(sql).fetchall()


def beside(path):
    return sorted(other.name for other in path.parent.iterdir() if other != path)


# The other SQLite of the process opens the file, uses it, and is closed: alone, all at once, while writing itself.
OTHERS = {
    "reads once": """
sqlite3.connect(path).execute("SELECT count(*) FROM sqlite_master").close()
""",
    "opens and closes": """
for _ in range(20):
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM sqlite_master").fetchall()
    other.close()
""",
    "writes": """
with sqlite3.connect(path) as other:
    other.execute("CREATE TABLE IF NOT EXISTS mine (n)")
    other.execute("INSERT INTO mine VALUES (1)")
other.close()
""",
    "moves the log": """
other = sqlite3.connect(path)
other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
other.close()
""",
    "makes a backup": """
source, target = sqlite3.connect(path), sqlite3.connect(path + ".backup")
source.backup(target)
source.close(); target.close()
""",
    "is a copy of the file": """
import shutil
for suffix in ("", "-wal", "-shm"):
    shutil.copyfile(path + suffix, path + ".copy" + suffix)
""",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", OTHERS)
def test_a_second_sqlite_in_the_process_takes_nothing_away(name, other, tmp_path):
    path = tmp_path / "room.db"
    body = "\n".join("    " + line for line in OTHERS[other].strip().splitlines())
    code = f"""
import sqlite3
def other():
{body}
room.write(0)
other()
for n in range(1, 60):
    room.write(n)
    if n % 20 == 0:
        other()
# What was written is durable when the call returns, for the queue and the ledger; the cache says when by `len`.
thread = threading.Thread(target=lambda: [other() for _ in range(5)])
thread.start()
for n in range(60, 120):
    room.write(n)
thread.join()
assert room.count() == 120, room.count()
if sys.argv[1] == "Cache":
    del room
else:
    os._exit(0)
"""
    run(name, path, code)
    assert count(name, path) == 120
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_lock_holds_when_the_file_is_opened_and_closed_beside_it(tmp_path):
    """While another process is kept out, a close in this one must not let it in."""
    path = tmp_path / "room.db"
    code = """
import sqlite3, subprocess
room.write(0)
look = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0);"
    "print(c.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()); c.close()"
)
for _ in range(3):
    open(path, "rb").close()
    sqlite3.connect(path).close()
    subprocess.run([sys.executable, "-c", look, path], check=True, capture_output=True)
    assert os.path.exists(path + "-wal"), "the last one out took the log along: we are not the last"
    room.write(1)
os._exit(0)
"""
    run("Queue", path, code)
    assert count("Queue", path) == 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["falls off the end", "exits", "closes in a thread"])
def test_after_a_clean_exit_the_file_alone_holds_everything(name, end, tmp_path):
    path = tmp_path / "room.db"
    last = {
        "falls off the end": "",
        "exits": "sys.exit(0)",
        "closes in a thread": """
keep = [room]
del room
thread = threading.Thread(target=keep.clear)
thread.start()
thread.join()
""",
    }
    run(name, path, "for n in range(30): room.write(n)\n" + last[end])
    assert beside(path) == []
    copy = tmp_path / "elsewhere" / "copy.db"
    copy.parent.mkdir()
    shutil.copyfile(path, copy)
    assert count(name, copy) == 30


ORDERS = [("Queue", (0, 1, 2)), ("Queue", (2, 1, 0)), ("Queue", None), ("Ledger", None), ("Cache", None)]


@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_the_last_process_out_moves_the_log(name, order, tmp_path):
    """Three processes have the file open together and end one after the other, or all at once."""
    path = tmp_path / "room.db"
    code = """
for n in range(10):
    room.write(n + 100 * int(sys.argv[3]))
print("open", flush=True)
sys.stdin.readline()
"""
    with ExitStack() as stack:
        children = []
        for n in range(3):
            command = [sys.executable, "-c", ROOMS + code, name, str(path), str(n)]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            children.append(stack.enter_context(child))
            stack.callback(child.kill)
        for child in children:
            assert child.stdout.readline() == "open\n"
        for n in order or ():
            children[n].communicate("end\n", timeout=120)
        if order is None:
            for child in children:
                child.stdin.write("end\n")
                child.stdin.flush()
        for child in children:
            assert child.wait(timeout=120) == 0
    assert beside(path) == []
    assert count(name, path) == 30


def test_a_queue_that_was_closed_and_dropped_leaves_one_file(tmp_path):
    code = """
room.write(1)
room.room.close()
del room
"""
    path = tmp_path / "room.db"
    run("Queue", path, code)
    assert beside(path) == []


def stores(path):
    url = f"sqlite:///{path}"
    yield lambda: headrace.RequestQueue(url)
    yield lambda: headrace.CostTracker(url=url)
    yield lambda: headrace.SemanticCache(url=url)


def foreign(path, mode):
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA journal_mode={mode}")
    with other:
        other.execute("CREATE TABLE mine (n)")
        other.execute("INSERT INTO mine VALUES (1)")
    return other


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_file_of_somebody_else_is_left_byte_for_byte(mode, is_open, tmp_path):
    path = tmp_path / "theirs.db"
    with closing(foreign(path, mode)) as owner:
        if not is_open:
            owner.close()
        before = {other.name: other.read_bytes() for other in tmp_path.iterdir()}
        for opened in stores(path):
            with pytest.raises(headrace.StoreError, match=r"theirs\.db"):
                opened()
            assert {other.name: other.read_bytes() for other in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"a text", b"SQLite format 3\0", bytes(4096), b"PK\x03\x04" + bytes(200)])
def test_a_file_that_is_no_database_is_left_byte_for_byte(content, tmp_path):
    path = tmp_path / "theirs.db"
    path.write_bytes(content)
    for opened in stores(path):
        with pytest.raises(headrace.StoreError, match=r"theirs\.db"):
            opened()
        assert path.read_bytes() == content
        assert beside(path) == []


REDIS = ["redis", "rediss", "redis+cluster", "redis+sentinel", "upstash"]


@pytest.mark.parametrize("url", [f"{scheme}://user:hush@host:6379/0" for scheme in REDIS])
def test_an_address_that_a_room_cannot_serve_is_an_error(url):
    with pytest.raises(headrace.ConfigError, match="not supported by KeyRing") as raised:
        headrace.keys.KeyRing(url)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory:",
        "memory://x",
        "sqlite://q.db",
        "sqlite:///",
        "sqllite:///q.db",
        "redi://host",
        "rediss:host",
        "q.db",
        "file:///q.db",
    ],
)
def test_an_address_with_a_slip_is_an_error(url):
    for opened in (
        lambda: headrace.RequestQueue(url),
        lambda: headrace.CostTracker(url=url),
        lambda: headrace.SemanticCache(url=url),
    ):
        with pytest.raises(headrace.ConfigError):
            opened()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_promised_into_a_file_that_is_removed_under_a_room(name, tmp_path):
    """A put is refused; what a call cost is kept, and said to wait; the cache, which writes behind, serves from memory."""
    path = tmp_path / "room.db"
    code = """
room.write(0)
os.remove(path)
refused = 0
for n in range(1, 20):
    try:
        room.write(n)
    except headrace.StoreError as error:
        refused += 1
print(refused, room.room.stats()["waiting"] if isinstance(room, Ledger) else "-")
"""
    refused, waiting = run(name, path, code)
    if name == "Queue":
        assert refused == "19"
    if name == "Ledger":
        assert (refused, waiting) == ("0", "19")
    assert not path.exists()


def test_a_fork_in_the_middle_of_writes_leaves_both_whole(tmp_path):
    """Threads write all the time while the process forks; the child writes as well, through what it inherited."""
    path = tmp_path / "room.db"
    code = """
def keep_writing():
    for n in range(150):
        room.write(n)
threads = [threading.Thread(target=keep_writing) for _ in range(3)]
for thread in threads:
    thread.start()
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        for n in range(20):
            room.write(1000 + n)
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
for thread in threads:
    thread.join()
print(room.count())
"""
    assert run("Queue", path, code) == [str(3 * 150 + 5 * 20)]
    assert count("Queue", path) == 3 * 150 + 5 * 20
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_lock_does_not_outlive_its_process_in_a_forked_child(tmp_path):
    """The parent is killed while it writes; the child that it forked lives on and must not keep others out."""
    path = tmp_path / "room.db"
    code = """
import signal
room.write(0)
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.close(1)
    signal.pause()
print(child, flush=True)
while True:
    room.write(1)
"""
    command = [sys.executable, "-c", ROOMS + code, "Queue", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        try:
            before = count("Queue", path)
            parent.kill()
            parent.wait()
            assert run("Queue", path, "room.write(2); print(room.count() >= int(sys.argv[3]))", before) == ["True"]
        finally:
            parent.kill()
            os.kill(child, signal.SIGKILL)


def test_what_each_file_says_of_itself(tmp_path):
    """`headrace_room` tells which rooms a file holds; a second room may move in."""
    path = tmp_path / "both.db"
    run("Queue", path, "room.write(1)")
    run("Ledger", path, "room.write(1)")
    assert (count("Queue", path), count("Ledger", path)) == (1, 1)
    assert ask(path, "SELECT room FROM headrace_room ORDER BY room") == [("costs",), ("queue",)]


def test_json_of_a_closed_store_stays_readable(tmp_path):
    path = tmp_path / "room.db"
    run("Queue", path, "room.room.put({'a': [1, 2]})")
    ((payload,),) = ask(path, "SELECT payload FROM requests")
    assert json.loads(payload) == {"a": [1, 2]}
