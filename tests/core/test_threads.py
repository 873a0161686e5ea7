import threading
import time
from collections.abc import Iterator

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
