"""Which files an audit looks at: those in scope, behind links, and beside the stages."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.audit.audited import audited
from tests.provenance.chain import RUNS, Chain
from workflow_scripts.audit.kinds import Kind


def test_copying_touching_and_moving_results_are_not_faults(chain: Chain, tmp_path: Path) -> None:
    root = audited(chain.study).root
    copy = tmp_path / "elsewhere" / "results"
    copy.parent.mkdir()
    subprocess.run(["cp", "-r", str(chain.results), str(copy)], check=True)
    for path in copy.rglob("*"):
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    moved = tmp_path / "moved"
    shutil.move(chain.results, moved)
    for study in (copy / "study", moved / "study"):
        done = audited(study)
        assert (done.faults, done.root) == ([], root)


def test_a_crate_holds_no_artifacts_and_is_checked_as_a_crate(chain: Chain) -> None:
    copies = chain.study / "crate" / "manifests" / "summary"
    copies.mkdir(parents=True)
    shutil.copy(chain.study / "summary" / "summary.manifest.json", copies)
    done = audited(chain.study)
    assert ([one.kind for one in done.faults], done.artifacts) == ([Kind.BROKEN_CRATE], 22)


def test_an_audit_can_be_limited_to_a_stage_or_artifact(chain: Chain) -> None:
    damaged = chain.study / "recaption" / "00001.parquet"
    damaged.unlink()
    for scope, count in ((chain.study / "recaption", 4), (damaged.with_name("00001.manifest.json"), 1)):
        done = audited(chain.study, scope)
        assert (done.artifacts, [one.path for one in done.faults]) == (count, [damaged])
    assert audited(chain.study, chain.study / "download").faults == []
    assert audited(chain.study, chain.study / "recaption" / "00002.parquet").artifacts == 1


def test_the_folder_of_an_artifacts_files_is_its_artifact(chain: Chain) -> None:
    folder = chain.study / "pretrain" / RUNS[0]
    damaged = next(path for path in folder.iterdir() if path.is_file())
    damaged.unlink()
    done = audited(chain.study, folder)
    assert (done.artifacts, [one.path for one in done.faults]) == (1, [damaged])


def test_symbolic_links_are_reported_and_followed(chain: Chain, tmp_path: Path) -> None:
    before = audited(chain.study)
    shutil.move(chain.study / "recaption", tmp_path / "disk")
    (chain.study / "recaption").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(chain.study)
    after = audited(chain.study)
    assert (after.artifacts, after.root) == (before.artifacts, before.root)
    assert {(one.path.name, one.kind) for one in after.faults} == {("recaption", Kind.LINK), ("loop", Kind.LINK)}
    damaged = chain.study / "recaption" / "00001.parquet"
    damaged.unlink()
    damaged.symlink_to("nowhere")
    (chain.study / "recaption" / "00002.parquet").unlink()
    assert {(fault.path.name, fault.kind) for fault in audited(chain.study).faults} == {
        ("recaption", Kind.LINK),
        ("loop", Kind.LINK),
        ("00001.parquet", Kind.LINK),
        ("00002.parquet", Kind.MISSING),
    }


@pytest.mark.parametrize("folder", ["logs", "benchmarks", "crate"])
def test_a_symbolic_link_instead_of_a_folder_beside_the_stages_is_reported(
    chain: Chain, tmp_path: Path, folder: str
) -> None:
    (chain.study / folder).symlink_to(tmp_path)
    faults = [fault for fault in audited(chain.study).faults if fault.kind is Kind.LINK]
    assert [fault.path.name for fault in faults] == [folder]


def test_a_folder_named_like_an_nfs_placeholder_hides_no_files(chain: Chain) -> None:
    (chain.study / "summary" / ".nfs0001").mkdir()
    (chain.study / "summary" / ".nfs0001" / "x").write_bytes(b"x")
    assert [(fault.kind, fault.path.name) for fault in audited(chain.study).faults] == [("unnamed", "x")]


def test_symbolic_links_at_and_above_the_results_folder_are_not_faults(chain: Chain, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "results").symlink_to(chain.results)
    (tmp_path / "link").symlink_to(tmp_path / "project")
    assert audited(tmp_path / "link" / "results" / "study").faults == []
