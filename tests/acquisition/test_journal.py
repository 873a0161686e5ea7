"""A journal cut anywhere gives back exactly the urls that were whole, and goes on from there."""

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.acquisition.journal import Journal, Record
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors import PipelineError

DATA = {f"http://a.test/{n}": bytes([n]) * (n * 37 % 100) for n in range(8)}


def filled(folder: Path, urls: list[str]) -> None:
    with Journal(folder) as journal:
        for url in urls:
            state = State.OK if DATA[url] else State.HTTP_4XX
            journal.add(
                Record(url, state, 200 if DATA[url] else 404, [{"attempt": 1}], width=3, format="jpg"), DATA[url]
            )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    filled(tmp_path, list(DATA))
    with Journal(tmp_path) as journal:
        assert {url: journal.data(record) for url, record in journal.done.items()} == DATA
        assert journal.done["http://a.test/0"].state is State.HTTP_4XX
        assert journal.done["http://a.test/3"].attempts == [{"attempt": 1}]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["bytes.bin", "urls.jsonl"]), st.floats(0, 1), st.booleans())
def test_a_cut_anywhere_leaves_whole_urls_alone(name: str, share: float, garbage: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        filled(path, list(DATA))
        whole = (path / name).read_bytes()
        (path / name).write_bytes(whole[: int(share * len(whole))] + (b"\x00garbage" if garbage else b""))
        with Journal(path) as journal:
            assert list(journal.done) == list(DATA)[: len(journal.done)]
            assert all(journal.data(record) == DATA[url] for url, record in journal.done.items())
            missing = [url for url in DATA if url not in journal.done]
        filled(path, missing)
        with Journal(path) as journal:
            assert {url: journal.data(record) for url, record in journal.done.items()} == DATA


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    filled(tmp_path, list(DATA))
    with Journal(tmp_path) as journal:
        (tmp_path / "bytes.bin").write_bytes(bytes(1000))
        with pytest.raises(PipelineError, match=r"changed bytes in .*bytes\.bin: http://a\.test/7"):
            journal.data(journal.done["http://a.test/7"])


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    urls = list(DATA)
    filled(tmp_path, urls[:4])
    with Journal(tmp_path) as journal, mock.patch("workflow_scripts.acquisition.journal._append") as append:
        append.side_effect = OSError(28, "No space left on device")
        with pytest.raises(PipelineError, match=r"cannot write.*No space left on device; make room"):
            journal.add(Record(urls[5], State.OK, 200, []), b"12345")
        assert urls[5] not in journal.done
    with Journal(tmp_path) as journal:
        assert list(journal.done) == urls[:4]


def test_failures_that_may_pass_are_asked_for_again_and_keep_their_attempts(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(Record("down", State.HTTP_5XX, 503, [{"attempt": 1}]))
        journal.add(Record("gone", State.HTTP_4XX, 404, [{"attempt": 1}]))
    with Journal(tmp_path) as journal:
        journal.forget_failures()
        assert list(journal.done) == ["gone"]
        journal.add(Record("down", State.OK, 200, [{"attempt": 2}]), b"image")
    with Journal(tmp_path) as journal:
        assert journal.done["down"].attempts == [{"attempt": 1}, {"attempt": 2}]
        assert journal.data(journal.done["down"]) == b"image"
