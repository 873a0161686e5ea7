"""The note of a study's config and finished artifacts."""

import errno
import os
from pathlib import Path

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed
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


def test_the_config_that_a_study_was_given_is_remembered(results: Path) -> None:
    assert today.units_of(results, "tiny") is None
    today.remember(results, "tiny", ["config.yaml", "profiles/demo/study.yaml", "tests/config/tiny.yaml"], {})
    units = today.units_of(results, "tiny")
    assert units is not None and units.study.study == "tiny"
    changed = today.units_of(results, "tiny", ["profiles/demo/study.yaml"])
    assert changed is None  # that is another study
    today.remember(results, "tiny", ["config.yaml", "gone.yaml"], {})
    assert today.units_of(results, "tiny") is None
    for note in (b"[]", pretty({"configfiles": []}), pretty(sealed({"configfiles": 5})), b"\xff", b""):
        (results / ".configs" / "tiny.json").write_bytes(note)
        with pytest.raises(PipelineError, match="note"):
            today.units_of(results, "tiny")
