"""Whatever is done to a finished study, an audit finds it, reaches its end and says so in valid JSON."""

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.provenance.chain import finished
from tests.provenance.flips import check_flips, damageable, flip
from tests.provenance.manipulations.everything import WAYS, carry_out
from tests.provenance.manipulations.tools import Way
from tests.provenance.outsider.everything import MANIPULATIONS
from tests.provenance.outsider.shared import note_of_config_rewritten
from workflow_scripts.commands.main import main
from workflow_scripts.core.code_equivalence import accept

DRAWS = 6  # of each way
FOUND_OF_OUTSIDER = [one for one in MANIPULATIONS if one is not note_of_config_rewritten]  # no audit finds that


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study in ``results``; never changed."""
    folder = tmp_path_factory.mktemp("pristine")
    (folder / "results").mkdir()
    finished(folder / "results", folder / "outside")
    entry = {"stage": "summary", "code": "a" * 64, "counts_as": "b" * 64, "reason": "a log line"}
    accept(folder / "results", {**entry, "when": "2026-01-01T00:00:00.000+00:00"})
    assert report(folder / "results")[0] == 0
    return folder


@pytest.fixture
def study(pristine: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the study to damage, hard links to its cache included."""
    yield copy_of(pristine, tmp_path / "work")
    clear(tmp_path / "work")


def copy_of(pristine: Path, folder: Path) -> Path:
    clear(folder)
    subprocess.run(["cp", "-a", "--reflink=auto", str(pristine), str(folder)], check=True)
    return folder / "results" / "study"


def clear(folder: Path) -> None:
    """Remove a folder, those in it that are closed too."""
    for path in [folder, *folder.rglob("*")] if folder.exists() else ():
        if path.is_dir() and not path.is_symlink() and path.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
            path.chmod(0o755)
            clear(path)
    shutil.rmtree(folder, ignore_errors=True)


def report(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Exit status of the command, and the faults in its JSON."""
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stdout, "write", lines.append)
        status = main(["audit", "--json", "--jobs", "2", str(path)])
    told = json.loads("".join(lines))
    faults = [fault for one in told["studies"] for fault in one["faults"]]
    assert told["holds"] == (not faults)
    assert status in (0, 1)
    return status, faults


# Ways after which nothing but what was changed is named, and as one of these kinds.
NAMED = {
    "flipped_byte": {"changed-file", "edited-record"},
    "flipped_in_place": {"changed-file"},
    "truncated": {"changed-file", "edited-record"},
    "appended": {"changed-file", "edited-record"},
    "swapped_between_artifacts": {"changed-file", "edited-record"},
    "deleted": {"missing"},
    "edited_value": {"edited-record"},
    "lost_pair": {"missing", "unnamed"},
    "stray_file": {"unnamed"},
}


def about(faults: list[dict[str, Any]], changed: set[Path]) -> bool:
    """Whether a fault names one of the paths."""
    return bool({Path(fault["path"]) for fault in faults} & changed)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_manipulation_is_detected(pristine: Path, tmp_path: Path, way: Way) -> None:
    for seed in range(DRAWS):
        study = copy_of(pristine, tmp_path / "work")
        changed = carry_out(way, seed, study)
        status, faults = report(study.parent)
        assert status == 1, (way.__name__, seed, changed)
        assert about(faults, changed), (way.__name__, seed, changed, faults)
        if way.__name__ in NAMED:
            assert {fault["kind"] for fault in faults} <= NAMED[way.__name__], (seed, faults)
            named = {Path(fault["path"]) for fault in faults}
            assert named == changed if way.__name__ != "deleted" else named <= changed, (way.__name__, seed, faults)
    clear(tmp_path / "work")


def test_at_least_300_manipulations_are_tested() -> None:
    assert len(WAYS) * DRAWS >= 300


def test_a_flipped_byte_in_any_file_is_detected_and_hides_no_other_fault(study: Path) -> None:
    """Beside a stray file and a damaged data file."""
    base = {study / "stray.txt", study / "caption_table" / "captions.parquet"}
    (study / "stray.txt").write_bytes(b"x")
    flip(study / "caption_table" / "captions.parquet", 7)
    assert check_flips(study.parent, damageable(study.parent), base, report) > 100
    assert {Path(fault["path"]) for fault in report(study.parent)[1]} == base


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("damage", FOUND_OF_OUTSIDER, ids=lambda damage: damage.__name__)
def test_tampering_by_an_outsider_is_detected(study: Path, damage: Callable[[Path], None]) -> None:
    damage(study)
    status, faults = report(study.parent)
    assert status == 1 and faults, damage.__doc__
