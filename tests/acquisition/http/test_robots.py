"""Which X-Robots-Tag headers keep a picture out."""

import pytest

from workflow_scripts.acquisition.http.robots import forbids_ai


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
def test_forbidden(headers: list[str]) -> None:
    assert forbids_ai(headers, "faithful-pairs")


@pytest.mark.parametrize(
    "headers",
    [[], [""], ["noindex, nofollow"], ["otherbot: noai"], ["otherbot: noindex, noai"], ["noaim"], ["a:b:noai"]],
)
def test_allowed(headers: list[str]) -> None:
    assert not forbids_ai(headers, "faithful-pairs")
