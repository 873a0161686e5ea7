"""A download that stops bringing images is stopped; one that works says how well."""

import pytest

from workflow_scripts.acquisition.http import monitor as watch_module
from workflow_scripts.acquisition.http.monitor import Monitor
from workflow_scripts.acquisition.shards.states import State
from workflow_scripts.core.errors import PipelineError


def test_the_last_rows_count_not_all() -> None:
    watch = Monitor(0.3, 10, dict)
    for _ in range(1000):
        watch.ended("a.test", State.OK)
    for _ in range(7):
        watch.ended("b.test", State.HTTP_4XX)
    with pytest.raises(PipelineError) as caught:
        watch.ended("c.test", State.DNS)
    said = str(caught.value)
    assert said.startswith(
        "too few images received in download: 2 of the last 10 URLs ok (http_4xx 7, dns 1; mostly from"
    )
    assert "mostly from b.test 7, c.test 1); download.min_ok_share is 0.3: " in said


def test_a_share_at_the_limit_or_a_short_run_goes_on() -> None:
    watch = Monitor(0.3, 10, dict)
    for n in range(100):
        watch.ended("a.test", State.OK if n % 10 < 3 else State.TIMEOUT)
    short = Monitor(0.3, 10, dict)
    for _ in range(9):
        short.ended("a.test", State.TIMEOUT)


def test_rows_that_had_failed_before_do_not_count() -> None:
    watch = Monitor(0.5, 10, dict)
    for _ in range(100):
        watch.ended("a.test", State.TIMEOUT, again=True)
    assert watch.note() == "0% ok"


def test_note_gives_share_and_present_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    now, counts = [100.0], {"a.test": 0}
    monkeypatch.setattr(watch_module.time, "monotonic", lambda: now[0])
    watch = Monitor(0.0, 10, lambda: counts)
    assert watch.note() == "none ended, a.test 0.0/s"
    for state in (State.OK, State.OK, State.OK, State.HTTP_4XX):
        watch.ended("a.test", state)
    now[0], counts = 120.0, {"a.test": 40, "b.test": 100}
    assert watch.note() == "75% ok, b.test 5.0/s, a.test 2.0/s"
    now[0], counts = 125.0, {"a.test": 90, "b.test": 100}
    assert watch.note() == "75% ok, b.test 5.0/s, a.test 2.0/s", "a rate needs some seconds"
    now[0] = 130.0
    assert watch.note() == "75% ok, a.test 5.0/s, b.test 0.0/s"
