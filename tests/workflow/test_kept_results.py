"""Results of a release, kept as a file: later versions read, audit and continue them.

Made by that release in an empty checkout: the smallest study (:data:`tests.workflow.checkout.NANO`) from annotations to
pair tables, without the folders ``.cache``, ``.work``, ``.fetched``, ``.hosts`` and ``logs``. Weights of networks would
take megabytes.
"""

import re
import tarfile
from pathlib import Path

import pytest

from tests.workflow.checkout import NANO, Checkout, give_to_user
from workflow_scripts.audit.audit import audit

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("results-0.2.0.tar.xz")
ROOT_HASH = "666b9728ab372e6877b6cedab661c2ea77280fedaf218f4495b9b2bfe561d90f"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The study's folder."""
    assert KEPT.stat().st_size < 1_000_000
    with tarfile.open(KEPT) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "results/nano"


def test_kept_results_are_intact_and_the_changelog_says_if_they_are_recomputed(kept: Path) -> None:
    (outcome,) = audit([kept], [str(ROOT / "config.yaml"), str(ROOT / "tests/config/nano.yaml")], False, 1)
    kinds = {str(fault.kind) for fault in outcome.faults}
    assert kinds <= {"out-of-date"} and outcome.root == ROOT_HASH
    newest = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1]
    assert "out-of-date" not in kinds or "recomputed" in newest


@pytest.mark.slow
def test_kept_results_are_continued(fresh: Checkout, kept: Path, finished_nano: Checkout) -> None:
    fresh.study = "nano"
    (fresh.folder / "results").rmdir()
    kept.parent.rename(fresh.folder / "results")
    give_to_user(fresh.folder)
    fresh.finish(*NANO)
    assert fresh.hashes() == finished_nano.hashes()
