"""What runs again after an edit, and what does not. As an ordinary user, on the small study."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, Checkout, now

pytestmark = pytest.mark.slow
STAGES = sorted(path.stem for path in (ROOT / "workflow_scripts" / "stages").glob("[a-z]*.py"))
NOTHING = "Nothing to be done"
JUDGING = {"score_captions", "judge_quality", "judge_comparison"}
NOT_IN_TINY = {"crate", "saliency_checks", "common_images", "caption_labels", "pack", "pack_index", *JUDGING}


def computed(checkout: Checkout, since: str) -> set[str]:
    """Stages of which an artifact was computed (not taken from the cache) after ``since``."""
    return {record["stage"] for record in checkout.records(since).values() if not record["cached"]}


def test_every_stage_ran_and_left_no_unfinished_work(finished: Checkout) -> None:
    records = finished.records()
    assert {record["stage"] for record in records.values()} == set(STAGES) - NOT_IN_TINY
    assert (finished.folder / "results/tiny/report/index.html").stat().st_size > 10_000
    assert not list((finished.folder / "results/.work").glob("*/*"))
    assert not list((finished.folder / "results/.cache/.staging").glob("*"))
    for record in records.values():
        assert record["peak_bytes"] < 4e9


def test_moved_results_compute_exactly_the_edited_stage(moved: Checkout, finished: Checkout) -> None:
    start = now()
    moved.edit("workflow_scripts/stages/data_card.py", "def data_card(", "EQUAL = 1\n\n\ndef data_card(")
    printed = moved.finish()
    assert computed(moved, start) == {"data_card"}
    assert "results/tiny/data_card/data_card.manifest.json: made by other code (stages.data_card); " in printed
    assert moved.hashes() == finished.hashes()
    assert NOTHING in moved.run()[1]


@pytest.mark.parametrize("file", ["select_captions/revised.parquet"])
def test_a_lost_data_file_is_linked_again(copy_of: Callable[[], Checkout], file: str) -> None:
    checkout = copy_of()
    lost = checkout.folder / "results/tiny" / file
    content = lost.read_bytes()
    lost.unlink()
    Path(checkout.folder / "results/tiny/report/index.manifest.json").unlink()
    Path(checkout.folder / "results/tiny/caption_quality/revised.manifest.json").unlink()
    shutil.rmtree(checkout.folder / "results/.cache/caption_quality")
    checkout.finish()
    assert lost.read_bytes() == content
