"""What rows on a removal list leave behind goes, and nothing else. On real stages and a server of the test's own."""

import fcntl
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.acquisition.fault_server import serving
from tests.acquisition.pictures import jpeg
from tests.acquisition.zips import row, write_zip
from tests.file_bytes import write_tar
from tests.helpers import run
from tests.stages.acquired import HOST, downloaded
from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import ABOUT, BROWSE, STAGED_IN
from workflow_scripts.core.files.notes import write_note
from workflow_scripts.core.runtime.stage import RECIPE
from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.stage_in.stage_in import note_folder, places, staged
from workflow_scripts.removal.removal import Listed, Removed, _remove_logs, remove_listed
from workflow_scripts.stages import annotations, pack, shard_plan

NO_FILES: dict[str, Any] = {"sheets": [], "networks": [], "unread": [], "copies": 0, "nodes": [], "kept": []}

NAMES = {"aww": ["a1", "a2", "a3"], "pics": ["p1", "p2", "p3", "p4"]}
IMAGES = {name: jpeg(seed=n) for n, name in enumerate([*NAMES["aww"], *NAMES["pics"]])}


def url(name: str) -> str:
    return f"http://{HOST}/{name}.jpg"


def make(results: Path, exclude: list[str], address: str) -> dict[str, Artifact]:
    """Annotations, plan and both shards; p4 is another post with the picture of p1."""
    path = results.parent / "a.zip"
    files = {
        f"{subreddit}_2020": [row(name, url=url("p1" if name == "p4" else name)) for name in names]
        for subreddit, names in NAMES.items()
    }
    write_zip(path, files)
    settings = {"exclude": sorted(token(one) for one in exclude)}
    rows = run(annotations.STAGE, results, "annotations/rows", settings, sources={"annotations": path})
    inputs = {"annotations": rows.manifest_path}
    plan = run(shard_plan.STAGE, results, "shard_plan/plan", {"shards": 2, "rows_per_shard": 10}, inputs)
    made = {"annotations": rows, "plan": plan}
    return made | {f"{shard}": downloaded(results, made, shard, address) for shard in range(2)}


def holders(results: Path, needle: bytes) -> set[str]:
    """First folder below results of the files that hold these bytes, or a table cell equal to them."""
    found = set()
    for path in results.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            cells: set[Any] = set()
            if content.startswith(b"PAR1"):
                cells = {
                    value
                    for column in pq.read_table(path).columns
                    for value in column.to_pylist()
                    if isinstance(value, str)
                }
            if needle in content or needle.decode("latin-1") in cells:
                found.add(path.relative_to(results).parts[0])
    return found


def test_logs_with_the_redacted_form_of_a_removed_url_are_deleted(tmp_path: Path) -> None:
    logs = tmp_path / "study/logs/download"
    logs.mkdir(parents=True)
    (logs / "00000.log").write_text("asking for https://h.test/a?... again")
    (logs / "00001.log").write_text("asking for https://h.test/b?... again")
    (logs / "notes.log").write_text("asking for https://h.test/a?... again")
    assert _remove_logs(tmp_path, "study", Listed(urls={"https://me:word@h.test/a?token=1"}), set()) == 1
    assert sorted(path.name for path in logs.iterdir()) == ["00001.log", "notes.log"]


def test_only_the_listed_rows_are_removed(results: Path) -> None:
    pages = {f"/{name}.jpg": IMAGES[name] for name in IMAGES}
    with serving(pages) as site:
        before = make(results, [], site.address)
        assert holders(results, url("p2").encode()) >= {"study", ".cache", ".fetched"}
        after = make(results, ["p1", f"HTTPS://{HOST.upper()}./x/../p2%2ejpg#top"], site.address)
    assert before["0"].hash == after["0"].hash
    logs = results / "study" / "logs" / "download"
    logs.mkdir(parents=True)
    (logs / "00001.log").write_text(f"asking for {url('p2')} again")
    (logs / "00000.log").write_text("asking for a1 again")
    (results / ".slurm").mkdir()
    (results / ".slurm" / "1.log").write_text(f"{url('p2')} and more")
    for key, text in (("1" * 64, "x"), ("2" * 64, "x")):
        work = results / ".work" / "recaption" / key
        work.mkdir(parents=True)
        (work / "part").write_text(text)
    spared = results / ".work/download" / ("3" * 64)
    spared.mkdir(parents=True)
    files = {"plan": ["results/study/shard_plan/plan.manifest.json"]}
    recipe = {"input_files": files, "inputs": {"plan": [after["plan"].hash]}}
    (spared / RECIPE).write_text(json.dumps(recipe))
    with open(results / ".work/recaption" / f"{'2' * 64}.lock", "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        gone = remove_listed(results, "study")
    # annotations, plan and the shard of pics, as they were before; url p1 stays, since p4 has it too
    assert gone == Removed(
        urls=1, artifacts=0, entries=3, folders=1, logs=2, indexes=0, elsewhere=[], unknown=0, **NO_FILES
    )
    for needle in (url("p2").encode(), IMAGES["p2"], b"a picture of p2"):
        assert holders(results, needle) == set()
    assert holders(results, b"a picture of p1") == set() and holders(results, url("p1").encode()) >= {".fetched"}
    assert spared.exists() and (results / ".work/recaption" / ("2" * 64)).exists()
    assert (logs / "00000.log").exists()
    for made in after.values():
        for suffix in made.suffixes:
            assert made.path(suffix).exists()
    assert remove_listed(results, "study") == Removed(
        urls=0, artifacts=0, entries=0, folders=1, logs=0, indexes=0, elsewhere=[], unknown=0, **NO_FILES
    )


def test_packs_and_node_copies_of_removed_rows_are_deleted(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def packs(made: dict[str, Artifact]) -> list[Path]:
        """Packs of both shards, copied to this node."""
        inputs = {shard: {"shard": made[shard].manifest_path} for shard in "01"}
        packed = [run(pack.STAGE, results, f"pack/0000{shard}", {}, inputs[shard], {"shard": shard}) for shard in "01"]
        files = [one.location(".images") for one in packed]
        none = np.zeros(0, np.int64)
        images = TarImages(files, none, none, none, np.zeros((0, 16), np.uint8))
        note_folder(results, str(tmp_path / "node"))
        with staged(images, str(tmp_path / "node"), 10**9, lambda: None):
            return files

    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        files = packs(make(results, [], site.address))
        held = [one.read_bytes() for one in files]
        made = make(results, ["p2"], site.address)
        for shard in "01":
            inputs = {"shard": made[shard].manifest_path}
            run(pack.STAGE, results, f"pack/0000{shard}", {}, inputs, {"shard": shard})
    (copied,) = (path for path in (tmp_path / "node").rglob("*.images") if path.read_bytes() == held[1])
    other = results / STAGED_IN / "other.json"
    write_note(other, {"host": "elsewhere", "folder": "/local/faithful-pairs-1"})
    damaged = other.with_name("damaged.json")
    damaged.write_text(other.read_text().replace("/local", "/lacol"))
    gone = remove_listed(results, "study")
    assert (gone.copies, gone.nodes) == (
        1,
        [f"an unknown folder: {damaged} is damaged", "/local/faithful-pairs-1 on node elsewhere"],
    ) and gone.entries == 4
    assert not copied.exists() and len(list((tmp_path / "node").rglob("*.images"))) == 1
    assert holders(results, IMAGES["p2"]) == holders(tmp_path / "node", IMAGES["p2"]) == set()
    assert main(["remove", str(results / "study")]) == 2
    assert "  /local/faithful-pairs-1 on node elsewhere\n" in capsys.readouterr().out
    other.unlink()
    damaged.unlink()
    shutil.rmtree(tmp_path / "node")
    assert main(["remove", str(results / "study")]) == 0 and places(results) == ([], [])


@pytest.mark.parametrize("of_before", [True, False])
def test_a_crate_that_describes_removed_rows_is_deleted(results: Path, of_before: bool) -> None:
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        made = make(results, [], site.address)
        if not of_before:
            made = make(results, ["p2"], site.address)
        for folder in ("crate", f".crate.{'01' * 16}.part"):  # the other one of a process that was killed
            manifests = results / "study" / folder / "manifests/download"
            manifests.mkdir(parents=True)
            shutil.copyfile(made["0"].manifest_path, manifests / "0.json")
            shutil.copyfile(made["1"].manifest_path, manifests / "1.json")
            (manifests / "mine.txt").write_text("a note")
            (manifests / "mine.json").write_text("{}")
        make(results, ["p2"], site.address)
    gone, notes = remove_listed(results, "study"), ["mine.json", "mine.txt"]
    inside = results / "study/crate/manifests/download"
    assert (gone.artifacts, gone.kept) == (2 * of_before, [str(inside / name) for name in notes])
    assert sorted(path.name for path in inside.iterdir()) == ([] if of_before else ["0.json", "1.json"]) + notes


def test_bytes_without_annotations_are_removed_too(results: Path) -> None:
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        make(results, [], site.address)
        shutil.rmtree(results / "study")
        shutil.rmtree(results / ".cache")
        make(results, ["p1", "p3", "https://" + HOST + "/p2.jpg"], site.address)
    assert remove_listed(results, "study").urls == 2
    assert [holders(results, IMAGES[name]) for name in ("p2", "p3")] == [set(), set()]
    assert holders(results, IMAGES["p1"]) >= {".fetched"}, "p4 has it, too"


def test_outdated_and_stray_results_are_removed_too(results: Path) -> None:
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        make(results, [], site.address)
        shutil.copytree(results / "study", results / "other")
        stray = results / "study" / "download" / "00007.tar"  # of a plan with more shards
        shutil.copy(results / "study/download/00001.tar", stray)
        stray.chmod(0o444)
        path = results.parent / "a.zip"
        settings = {"exclude": [token("p2")]}
        run(annotations.STAGE, results, "annotations/rows", settings, sources={"annotations": path})
        gone = remove_listed(results, "study")
        assert gone.artifacts == 3 + 1 and not list((results / "study/download").glob("*"))
        assert not stray.exists() and gone.urls == 1
        names = {Path(one).relative_to(results).parts[:2] for one in gone.elsewhere}
        assert names == {("other", "annotations"), ("other", "shard_plan"), ("other", "download")}
        assert len(list((results / ".cache/download").iterdir())) == 2  # the other study's
        asked = len(site.log)
        make(results, ["p2"], site.address)
        assert len(site.log) == asked  # all that stays was in the store


def test_rows_of_own_images_are_found_by_their_source_urls(results: Path) -> None:
    source = results.parent / "own"
    members: dict[str, bytes | str] = {}
    for name in ("p1", "p2"):
        described = json.dumps({"url": url(name), "caption": f"a picture of {name}"})
        members |= {f"{name}.jpg": IMAGES[name], f"{name}.json": described}
    write_tar(source / "0.tar", members)

    def rows_without(*entries: str) -> Artifact:
        settings = {"exclude": sorted(token(one) for one in entries)}
        return run(annotations.STAGE, results, "annotations/rows", settings, sources={"annotations": source})

    rows_without()
    after = rows_without(url("p1"))
    assert (after.rows["out"], after.rows["dropped"]) == (1, {"excluded": 1})
    assert remove_listed(results, "study") == Removed(
        urls=0, artifacts=0, entries=1, folders=0, logs=0, indexes=0, elsewhere=[], unknown=0, **NO_FILES
    )
    assert holders(results, b"a picture of p1") == set() and holders(results, b"a picture of p2") != set()


def test_the_command_reports_its_findings_and_exit_status(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", str(results / "study")]) == 1
    assert "error: no annotations in" in capsys.readouterr().err
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        make(results, [], site.address)
        assert main(["remove", str(results / "study")]) == 0
        assert "without a removal list" in capsys.readouterr().out
        shutil.copytree(results / "study", results / "other")
        for study, key in (("study", "p1"), ("other", "p2")):
            (results / study / "labels").mkdir()
            (results / study / "labels/a.html.key.csv").write_text(
                f"sheet,image,caption,key,arm\ns,i1,a,{key},original\n"
            )
        (results / "study/labels/b.html.key.csv").mkdir()
        make(results, ["p2", "http://" + HOST + "/p3.jpeg"], site.address)
    assert main(["remove", str(results / "study")]) == 2
    out = capsys.readouterr().out
    assert "2 entries on the removal list" in out and "1 of the entries match no row" in out
    assert "other/download/00001" in out
    assert "other/labels/a.html\n" in out and "study/labels/a" not in out
    assert "keys or records can't be read" in out and "study/labels/b.html.key.csv: Is a directory\n" in out
    assert (results / "other/labels/a.html.key.csv").exists()  # people's work is only named
    for record in [*results.glob("study/annotations/*.run.json"), *results.glob(".cache/annotations/*/run.json")]:
        record.unlink()
    with pytest.raises(PipelineError, match="unknown origin"):
        remove_listed(results, "study")


def test_browse_indexes_with_removed_rows_are_deleted(results: Path) -> None:
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        before = make(results, [], site.address)
        after = make(results, ["p2"], site.address)
    shown = {"f" * 64: after["annotations"].hash, "5" * 64: before["annotations"].hash}
    for name, value in shown.items():
        (results / BROWSE / "study" / name).mkdir(parents=True)
        about = {"inputs": {"annotations/rows": value, "download/00000": before["0"].hash}}
        (results / BROWSE / "study" / name / ABOUT).write_text(json.dumps(about))
    (results / BROWSE / "study" / f".{'5' * 64}.part").mkdir()
    assert remove_listed(results, "study").indexes == 2
    assert [path.name for path in (results / BROWSE / "study").iterdir()] == ["f" * 64]
