"""Parts of the client that need no network."""

import errno
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest

from workflow_scripts.acquisition.http.client import _fault, _parse, _retry_after, forbids_ai
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError


def test_retry_after_in_seconds_and_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert _retry_after("7") == 7.0
    assert _retry_after("Mon, 01 Jan 99999999999999999999 00:00:00 GMT") is None
    assert _retry_after(later) == pytest.approx(90, abs=3)
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert _retry_after("soon") is None and _retry_after(None) is None and _retry_after("-3") is None


@pytest.mark.parametrize(
    "url", ["", "a", "//a.test", "mailto:a@b", "http://", "http://[::1", "http://a:99999/", "data:,x"]
)
def test_malformed_urls_are_not_parsed(url: str) -> None:
    assert _parse(url) is None


def test_redirect_targets_are_relative_to_their_base() -> None:
    base = _parse("https://a.test/x/y.jpg")
    assert str(_parse("../z.png", base)) == "https://a.test/z.png"
    assert str(_parse("//b.test/z.png", base)) == "https://b.test/z.png"


def test_local_faults_are_raised_instead_of_recorded_for_the_row() -> None:
    assert _fault(aiohttp.ServerDisconnectedError()) is State.RESET
    assert _fault(aiohttp.InvalidURL("x")) is State.BAD_URL
    with pytest.raises(PipelineError, match="cannot open a connection"):
        _fault(OSError(errno.EMFILE, "Too many open files"))


@pytest.mark.parametrize(
    "headers",
    [
        ["noai"],
        ["NoImageAI"],
        ["noindex, noai"],
        ["index", "nofollow, noimageai "],
        ["faithful-pairs: noindex, noai"],
        ["*: noai"],
        ["max-snippet: 20, noai"],
        ["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"],
    ],
)
def test_robots_headers_that_forbid_ai_are_recognised(headers: list[str]) -> None:
    assert forbids_ai(headers, "faithful-pairs")


@pytest.mark.parametrize(
    "headers",
    [[], [""], ["noindex, nofollow"], ["otherbot: noai"], ["otherbot: noindex, noai"], ["noaim"], ["a:b:noai"]],
)
def test_other_robots_headers_do_not_forbid_ai(headers: list[str]) -> None:
    assert not forbids_ai(headers, "faithful-pairs")
