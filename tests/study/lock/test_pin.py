"""A lock in use: locked sources are what jobs read, and everything else is an error at its line of the config."""

from pathlib import Path

import pytest

from tests.study.lock.hub import NEW, OLD, TINY, Hub
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.lock import Lock, sources_in
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

SHA = "5a" * 32


def study(overlay: Path, lock: Lock | None = None) -> Study:
    """The study of an overlay of the small one, with a lock beside it."""
    if lock is not None:
        overlay.with_suffix(".lock.yaml").write_text(lock.text())
    return load_study(read_config(["config.yaml", TINY, overlay]))


def faults(overlay: Path, lock: Lock | None = None) -> list[str]:
    """The errors, each without the folder of the overlay."""
    with pytest.raises(PipelineError) as error:
        study(overlay, lock)
    return [str(one).replace(f"{overlay.parent}/", "") for one in error.value.errors]


def lock_of(hub: Hub, commit: str = OLD, sha256: str = SHA) -> Lock:
    """A lock of the captioner's main branch and of the arm's table."""
    return Lock(hub={"someone/model@main": commit}, urls={f"{hub.address}/captions.csv": sha256})


def test_jobs_read_what_is_locked(overlay: Path, hub: Hub) -> None:
    units = Units(study(overlay, lock_of(hub)))
    assert units.settings("source", {"source": "captioner"})["at"] == f"hub:someone/model@{OLD}"
    assert units.settings("source", {"source": "captions-revised"})["sha256"] == SHA
    assert units.sources("recaption", {"shard": "00000"})["captioner"] == f"hub:someone/model@{OLD}"
    unlocked = Units(load_study(read_config(["config.yaml", TINY])))
    for name in unlocked.sources_by_name.keys() - {"captioner"}:
        assert units.sources_by_name[name] == unlocked.sources_by_name[name]
    assert hub.asked == [], "only the command asks"


def test_main_and_its_commit_are_the_same_source(overlay: Path, hub: Hub) -> None:
    branch = study(overlay, lock_of(hub, NEW))
    overlay.write_text(overlay.read_text().replace("@main", f"@{NEW}"))
    assert study(overlay) == branch


def test_another_revision_or_hash_is_an_error_at_its_line(overlay: Path, hub: Hub) -> None:
    lock, text = lock_of(hub), overlay.read_text()
    for other in ("@v1", f"@{NEW}", ""):
        overlay.write_text(text.replace("@main", other))
        assert faults(overlay, lock) == [
            f"revision differs from mine.lock.yaml in mine.yaml:3 (recaption.captioner): hub:someone/model{other}, but "
            f"someone/model@main is {OLD}; undo that, or update the lock: run faithful-pairs lock with the same config "
            "files"
        ]
    table = f"{{at: {hub.address}/captions.csv, sha256: {SHA[1:]}6}}"
    overlay.write_text(text.replace(f"{hub.address}/captions.csv", table))
    (fault,) = faults(overlay, lock)
    assert fault.startswith(
        f"sha256 differs from mine.lock.yaml in mine.yaml:7 (arms.0.table): {SHA[1:]}6, but {hub.address}/captions.csv "
        f"is {SHA}; undo that"
    )
    assert study(overlay, lock_of(hub, sha256=f"{SHA[1:]}6"))


def test_a_source_that_is_not_locked_is_an_error(overlay: Path, hub: Hub) -> None:
    assert faults(overlay, Lock(hub={"someone/model-2@main": OLD}, urls={})) == [
        "hub model missing from mine.lock.yaml in mine.yaml:3 (recaption.captioner): hub:someone/model@main; add it: "
        "run faithful-pairs lock with the same config files",
        f"URL missing from mine.lock.yaml in mine.yaml:7 (arms.0.table): {hub.address}/captions.csv; add it: run "
        "faithful-pairs lock with the same config files",
    ]


def test_without_a_lock_a_url_needs_its_sha256_in_the_config(overlay: Path, hub: Hub) -> None:
    assert faults(overlay) == [
        f"URL without a sha256 in mine.yaml:7 (arms.0.table): {hub.address}/captions.csv; give its sha256, or record "
        "it: faithful-pairs lock"
    ]


def test_only_the_lock_of_the_last_file_counts(overlay: Path, hub: Hub, tmp_path: Path) -> None:
    study(overlay, lock_of(hub))
    last = tmp_path / "last.yaml"
    last.write_text("study: last\n")
    with pytest.raises(PipelineError, match="URL without a sha256"):
        load_study(read_config(["config.yaml", TINY, overlay, last]))
    last.with_suffix(".lock.yaml").write_text(lock_of(hub, NEW).text())
    found = load_study(read_config(["config.yaml", TINY, overlay, last]))
    assert found.recaption.captioner.at == f"hub:someone/model@{NEW}"


def test_a_damaged_lock_is_an_error(overlay: Path) -> None:
    overlay.with_suffix(".lock.yaml").write_text("hub: {}\n")
    assert faults(overlay) == [
        "damaged lock in mine.lock.yaml:1: missing key: urls; restore it, or write it again: faithful-pairs lock"
    ]


def test_every_source_of_a_config_is_found() -> None:
    """Those that jobs hash, as their names and places say, and no others."""
    found = load_study(read_config(["config.yaml"]))
    at = {".".join(map(str, path)): source.at for path, source in sources_in(found)}
    assert at["recaption.captioner"] == "hub:Salesforce/blip2-opt-2.7b@main"
    units = Units(found)
    assert set(at.values()) == {source.at for source in units.sources_by_name.values()}
