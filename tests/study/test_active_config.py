"""The note of a study's config and finished artifacts."""

import errno
import os
from pathlib import Path

import pytest

from workflow_scripts.study import active_config as today


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, True), (errno.EIO, True), (errno.EROFS, False)])
def test_a_note_that_could_not_be_written_is_logged(
    number: int, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(today, "write_note", fails)
    today.remember(tmp_path, "study", [], {})
    assert (os.strerror(number) in caplog.text) == said
