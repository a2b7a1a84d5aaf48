"""How what the core finishes reaches an event loop."""

from __future__ import annotations

import asyncio
import gc
import weakref

from headrace import RequestQueue


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often another thread wakes it."""

    wakes = 0

    def call_soon_threadsafe(self, *args, **kwargs):
        self.wakes += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def test_one_wake_up_hands_out_many():
    loop = CountingLoop()
    q = RequestQueue()

    async def main():
        workers = [asyncio.create_task(q.aget()) for _ in range(200)]
        await asyncio.sleep(0.05)
        before = loop.wakes
        ids = [q.put(number) for number in range(200)]
        jobs = await asyncio.gather(*workers)
        assert sorted(job.id for job in jobs) == sorted(ids)
        return loop.wakes - before

    assert loop.run_until_complete(main()) <= 100
    loop.close()


def test_a_loop_that_closes_while_something_is_awaited_leaves_the_request_to_others():
    q = RequestQueue()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(q.aget())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    request = q.put("still here")
    waiting._log_destroy_pending = False
    del waiting
    gc.collect()
    with q.get(timeout=5) as job:
        assert job.id == request
        assert job.attempt == 1


def test_a_loop_that_is_over_is_let_go():
    q = RequestQueue()
    loop = asyncio.new_event_loop()
    q.put("one")
    loop.run_until_complete(q.aget_many(1))
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


def test_loops_in_turn_on_one_thread_each_get_theirs():
    q = RequestQueue()
    all_loops = [asyncio.new_event_loop() for _ in range(2)]
    tasks = [loop.create_task(q.aget()) for loop in all_loops]
    for loop in all_loops:
        loop.run_until_complete(asyncio.sleep(0.01))
    ids = {q.put(number) for number in range(2)}
    jobs = [loop.run_until_complete(asyncio.wait_for(task, 5)) for loop, task in zip(all_loops, tasks, strict=True)]
    assert {job.id for job in jobs} == ids
    for loop in all_loops:
        loop.close()
