"""Good manners of a native library: each case in a process of its own, with a time limit."""

import subprocess
import sys

import pytest

CASES = {
    "ctrl_c_ends_a_wait": """
import os, signal, threading, headrace
q = headrace.RequestQueue()
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    q.get(timeout=30)
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("no KeyboardInterrupt")
""",
    "a_forked_child_asks_through_its_parents_client": """
import os, headrace
c = headrace.Client([headrace.providers.Simulated(time_to_first_token=0)])
assert c.chat("simulated/echo", "one").text == "one"
pid = os.fork()
if pid == 0:
    assert c.chat("simulated/echo", "two", timeout=20).text == "two"
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
""",
    "exit_with_tasks_waiting": """
import asyncio, headrace
async def main():
    q = headrace.RequestQueue()
    tasks = [asyncio.create_task(q.aget(timeout=30)) for _ in range(20)]
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "exit_with_threads_waiting": """
import threading, time, headrace
q = headrace.RequestQueue()
for _ in range(4):
    threading.Thread(target=lambda: q.get(timeout=60), daemon=True).start()
time.sleep(0.2)
""",
    "a_cancelled_wait_swallows_nothing": """
import asyncio, headrace
async def main():
    q = headrace.RequestQueue()
    for n in range(100):
        task = asyncio.create_task(q.aget())
        await asyncio.sleep(0)
        q.put(n)
        task.cancel()
        try:
            got = await task
        except asyncio.CancelledError:
            got = await asyncio.wait_for(q.aget(), 5)
        assert got.payload == n, (got.payload, n)
        got.ack()
asyncio.run(main())
""",
    "asyncio_run_takes_a_method": """
import asyncio, headrace
q = headrace.RequestQueue(); q.put(1)
assert asyncio.run(q.aget()).payload == 1
c = headrace.Client([headrace.providers.Simulated(time_to_first_token=0)])
assert asyncio.run(c.achat("simulated/echo", "hello")).text == "hello"
""",
    "no_secret_anywhere": """
import logging, pickle, traceback, headrace
logging.basicConfig(level=1)
secret = "sk-verysecretvalue1234567890"
p = headrace.providers.OpenAI(api_key=secret, base_url="http://127.0.0.1:9/v1")
c = headrace.Client([p], max_attempts=1)
out = [repr(p), str(p), repr(c)]
try:
    c.chat("openai/gpt-4o-mini", "hello", timeout=5)
except headrace.HeadraceError as e:
    out += [repr(e), "".join(traceback.format_exception(e)), repr(vars(e))]
else:
    raise SystemExit("a dead port answered")
try:
    out.append(repr(pickle.dumps(p)))
except TypeError:
    pass
assert not any(secret in text for text in out), out
""",
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_manners(case):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", case], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "panicked" not in done.stderr
    assert "rror" not in done.stderr, done.stderr
