import threading
import time

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.threads import mapped


def test_results_are_in_order_and_few_items_are_in_progress() -> None:
    started, lock = [], threading.Lock()

    def square(item: int) -> int:
        with lock:
            started.append(item)
        time.sleep(0.001 * (item % 3))
        return item * item

    found = mapped(square, range(3, 40), 4)
    assert next(found) == 9
    assert len(started) <= 9
    assert list(found) == [item * item for item in range(4, 40)]
    assert list(mapped(square, range(0), 2)) == []


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
