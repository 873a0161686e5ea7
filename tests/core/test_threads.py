import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.threads import mapped


def test_results_are_in_order_and_few_items_are_in_progress() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(3, 40):
            taken.append(item)
            yield item

    def square(item: int) -> int:
        time.sleep(0.001 * (item % 3))
        return item * item

    found = mapped(square, items(), 4)
    assert next(found) == 9
    assert len(taken) == 9  # twice as many as threads, and the first
    assert list(found) == [item * item for item in range(4, 40)]
    assert list(mapped(square, range(0), 2)) == []
    assert list(mapped(square, range(3), 0)) == [0, 1, 4]  # one thread at least
    taken.clear()
    assert next(mapped(square, items(), 4, ahead=2)) == 9 and len(taken) == 3


def test_the_first_error_is_raised_and_the_threads_end() -> None:
    def check(item: int) -> int:
        if item == 3:
            raise PipelineError("corrupt image", "a tar", item, "fetch it again")
        return item

    found = []
    with pytest.raises(PipelineError, match="corrupt image"):
        for item in mapped(check, range(10), 2):
            found.append(item)
    assert found == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mapped")]


def test_items_that_wait_are_dropped_when_the_caller_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, seen, real = threading.Event(), [], ThreadPoolExecutor.shutdown

    def shutdown(pool: ThreadPoolExecutor, cancel_futures: bool) -> None:
        real(pool, wait=False, cancel_futures=cancel_futures)
        ended.set()
        real(pool)

    def work(item: int) -> None:
        seen.append(item)
        assert not item or ended.wait(60)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown)
    found = mapped(work, range(99), 1, ahead=5)
    next(found)
    found.close()
    assert seen in ([0], [0, 1])
