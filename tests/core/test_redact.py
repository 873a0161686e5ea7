"""URLs in messages lose what may be secret, and nothing else."""

import logging
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.redact import redacted

SHOWN = {
    "no url: a/b?c": "no url: a/b?c",
    "https://h.test/a.jpg": "https://h.test/a.jpg",
    "see https://h.test:8080/a.jpg, then go": "see https://h.test:8080/a.jpg, then go",
    "https://h.test/a.jpg?sig=SECRET": "https://h.test/a.jpg?...",
    "('https://h.test/a?X-Amz-Signature=SECRET&b=1'): no": "('https://h.test/a?...'): no",
    "https://me:SECRET@h.test/a": "https://h.test/a",
    "https://SECRET@h.test": "https://h.test",
    "https://me:SEC@RET@[::1]:80/a": "https://[::1]:80/a",
    "HTTPS://h.test#access_token=SECRET": "HTTPS://h.test#...",
    "https://me:SEC/RET@h.test/a?b": "https://.../...",
    "a https:/h.test/a?SECRET b": "a https:/h.test/a?... b",
    "ftp://me:SECRET@h.test/a http://g.test/?SECRET": "ftp://h.test/a http://g.test/?...",
    "https://h.test: refused; https://[::1]; next": "https://h.test: refused; https://[::1]; next",
    "https://h.test/@user/a": "https://h.test/@user/a",
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_what_is_shown(text: str, shown: str) -> None:
    shown = shown.replace("https://.../...", "https://...?...")
    assert redacted(text) == shown
    assert redacted(shown) == shown


@given(st.text(max_size=60))
def test_twice_is_once(text: str) -> None:
    for one in (text, f"https://{text}", f"x https://h/{text}"):
        assert redacted(redacted(one)) == redacted(one)


@given(st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=10))
def test_no_login_and_no_query_is_left(login: str, query: str) -> None:
    secrets = ["SECRET" + quote(login, safe=""), "SECRET" + quote(query, safe="/?&=:@")]
    shown = redacted(f"failed: https://{secrets[0]}:{secrets[0]}@h.test/a?b={secrets[1]} (again)")
    assert shown.startswith("failed: https://h.test/a?...") and "SECRET" not in shown


def test_errors_are_redacted() -> None:
    error = PipelineError("no answer", "https://me:SECRET@h.test/a", "got https://h.test/?SECRET", "try again")
    assert str(error) == "no answer in https://h.test/a: got https://h.test/?...; try again"


def test_the_log_of_a_stage_is_redacted(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from workflow_scripts.core.runtime import stage_log

    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    stage_log.start_log("results/study/stage/name")
    logging.captureWarnings(False)
    try:
        raise ValueError("https://h.test/?SECRET")
    except ValueError:
        logging.getLogger("any").exception("asked for %s", "https://me:SECRET@h.test/b")
    assert "asked for https://h.test/b" in (said := capfd.readouterr().err) and "SECRET" not in said
