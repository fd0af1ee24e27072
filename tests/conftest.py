"""Every test leaves the process as it found it: no task, no thread, no child."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

# Worker pools, and asyncio's waiters for a child: each ends a moment after its child, which is gone by then.
_OWN_THREADS = ("asyncio_", "asyncio-waitpid-", "AnyIO", "ThreadPoolExecutor")


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fails a test that leaves a thread behind; the interpreter's own worker pools are exempt."""
    before = set(threading.enumerate())
    yield
    left = [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.is_alive() and not thread.name.startswith(_OWN_THREADS)
    ]
    assert left == []


@pytest_asyncio.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fails a test that leaves a task behind. Asked for by the tests that start servers or links."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = [
        task
        for task in asyncio.all_tasks() - before
        if not task.done() and task is not asyncio.current_task()
    ]
    assert left == []
