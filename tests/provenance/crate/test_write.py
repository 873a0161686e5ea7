"""What a crate says about a study, and what it leaves out."""

import json
import shutil
from pathlib import Path

import pytest

from tests.provenance.crate.graphs import METADATA, PUBLISHED, check_crate, graph_of, ids, real_bytes
from tests.provenance.hand_made import COMMIT, fake_hash, whole_study
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.key import root_hash
from workflow_scripts.provenance.crate.contents import goes_along, public_settings
from workflow_scripts.provenance.crate.write import write_crate
from workflow_scripts.provenance.nodes import load
from workflow_scripts.stages.crate import main as stage


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its crate. Never change it."""
    study = whole_study(tmp_path_factory.mktemp("crate") / "results")
    real_bytes(study)
    write_crate(study, "by request", 1.0, PUBLISHED)
    return study


def test_a_fresh_crate_is_valid(made: Path) -> None:
    check_crate(made / "crate")


def test_every_job_is_described_with_times_inputs_outputs_and_parameters(made: Path) -> None:
    graph = graph_of(made / "crate")
    nodes = {node.label: node for node in load(made)}
    jobs = {one["name"]: one for one in graph.values() if one["@id"].startswith("#job/")}
    assert set(jobs) == set(nodes)
    job = jobs["linear_probe/simclr-revised-crop-s0.last.pets"]
    record = nodes[job["name"]].record
    assert record is not None
    assert record["cached"]
    assert (job["startTime"], job["endTime"]) == (record["original"]["start"], record["original"]["end"])
    results = [graph[one] for one in ids(job["result"])]
    files = nodes[job["name"]].files
    assert {one["sha256"] for one in results} == {nodes[job["name"]].hash, *(one["sha256"] for one in files.values())}
    read = [graph[one] for one in ids(job["object"]) if graph[one]["@type"] == "File"]
    wanted = ("eval_dataset/pets", "features/simclr-revised-crop-s0.last.pets")
    assert {one["sha256"] for one in read} == {nodes[label].hash for label in wanted}
    told = {
        graph[one]["name"]: graph[one]["value"] for one in ids(job["object"]) if graph[one]["@type"] == "PropertyValue"
    }
    assert told["costs"] == "[0.1,1.0]"
    assert (told["math threads"], told["device"], told["code commit"]) == ("2", "cpu", COMMIT)
    usage = {graph[one]["name"]: (graph[one]["value"], graph[one]["unitCode"]) for one in ids(job["resourceUsage"])}
    assert usage["wall time"] == ("30.0", "SEC")
    assert usage["peak resident memory"] == ("314572800", "AD")


def test_root_hash_and_steps_in_order(made: Path) -> None:
    graph = graph_of(made / "crate")
    root = root_hash((node.label, node.hash) for node in load(made))
    assert graph["./"]["identifier"] == f"root-sha256:{root}"
    place = {one["name"]: int(one["position"]) for one in graph.values() if one["@type"] == "HowToStep"}
    order = [
        "source",
        "annotations",
        "shard_plan",
        "download",
        "image_index",
        "caption_table",
        "pair_table",
        "pretrain",
    ]
    assert sorted(order, key=place.__getitem__) == order
    assert place["report"] == max(place.values())


def test_small_results_are_included_and_posts_and_pictures_are_not(made: Path) -> None:
    there = {path.relative_to(made / "crate").as_posix() for path in (made / "crate").rglob("*") if path.is_file()}
    assert {"Snakefile", "rules/common.smk", "README.md", "files/report/index.html"} <= there
    assert "files/summary/summary.parquet" in there
    assert "files/pretrain/simclr-revised-crop-s0/run.json" in there
    assert not [one for one in there if one.endswith((".tar", ".npy", ".safetensors"))]
    assert not [one for one in there if one.startswith("files/") and "captions/" in one and one.endswith(".parquet")]
    assert goes_along(PUBLISHED, "report", ".html", 10**9, 10)
    assert goes_along(PUBLISHED, "report", "/figure-answer.pdf", 10**9, 10)
    assert goes_along(PUBLISHED, "report", "/table-runs.tex", 10**9, 10)
    assert not goes_along(PUBLISHED, "report", "/other.pdf", 1, 10)
    assert not goes_along(PUBLISHED, "summary", ".csv", 11, 10)
    assert not goes_along(PUBLISHED, "annotations", ".parquet", 1, 10)


def test_the_same_records_give_the_same_crate(made: Path, tmp_path: Path) -> None:
    again = shutil.copytree(made, tmp_path / "results" / made.name)
    write_crate(again, "by request", 1.0, PUBLISHED)
    assert (again / "crate" / METADATA).read_bytes() == (made / "crate" / METADATA).read_bytes()
    assert not list(again.glob(".crate*"))


def test_results_of_an_earlier_config_are_not_in_the_crate(made: Path, tmp_path: Path) -> None:
    again = shutil.copytree(made, tmp_path / "results" / made.name)
    for path in (again / "pair_table").glob("original.*"):
        shutil.copyfile(path, path.with_name(path.name.replace("original", "earlier")))
    (again / "pair_table" / f"earlier{RUN}").unlink()
    write_crate(again, "by request", 1.0, PUBLISHED)
    assert (again / "crate" / METADATA).read_bytes() == (made / "crate" / METADATA).read_bytes()


def test_a_file_too_large_for_the_crate_is_recorded_by_hash(made: Path, tmp_path: Path) -> None:
    again = shutil.copytree(made, tmp_path / "results" / made.name)
    write_crate(again, "https://spdx.org/licenses/CC-BY-4.0", 0.0, PUBLISHED)
    graph = graph_of(again / "crate")
    assert graph["#summary/summary.csv"]["sha256"] == graph_of(made / "crate")["files/summary/summary.csv"]["sha256"]
    assert graph["./"]["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    check_crate(again / "crate")


def test_public_settings_omit_personal_data_and_local_paths() -> None:
    settings = {
        "contact": "me@example.org",
        "connect_to": {"a": "b"},
        "allow_addresses": ["10.0.0.0/8"],
        "at": "/home/somebody/data/redcaps.zip",
        "mirrors": ["https://me:secret@host.org/z.zip", "~/z.zip"],
        "hub": "hub:owner/model@0123abc",
        "note": "ask me@example.org",
        "unset": None,
        "nested": {"at": "/root/x/"},
        "at2": "torchvision:/scratch/somebody/pets",
        "spaces": "/home/some body/my data.zip",
        "tagged": "hub:owner/model@v1.0",
        "prompt": "a photo of",
        "exclude": [fake_hash("id:abc123")],
    }
    assert public_settings(settings) == {
        "at": ".../redcaps.zip",
        "mirrors": ["https://host.org/z.zip", ".../z.zip"],
        "at2": ".../pets",
        "hub": "hub:owner/model@0123abc",
        "note": "ask ...",
        "nested.at": ".../x",
        "spaces": ".../my data.zip",
        "tagged": "hub:owner/model@v1.0",
        "prompt": "a photo of",
    }


def test_a_removal_list_is_not_included() -> None:
    assert goes_along(PUBLISHED, "annotations", ".json", 10, 100)
    assert not goes_along(PUBLISHED, "annotations", ".exclude.json", 10, 100)


def test_no_host_and_no_job_number(made: Path) -> None:
    text = "".join(path.read_text() for path in (made / "crate").rglob("*.json"))
    for private in ("node7", "gpu3", "4711"):
        assert f'"{private}"' not in text


def test_crates_are_written_and_checked_by_the_command(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = shutil.copytree(made, tmp_path / "results" / made.name, ignore=shutil.ignore_patterns("crate"))
    assert main(["crate", str(study), "--max-file-mb", "1"]) == 0
    assert capsys.readouterr().out == f"{study / 'crate'}: written\n"
    stage(["--out", str(study / "crate" / METADATA), "--settings", json.dumps({"published": PUBLISHED})])
    check_crate(study / "crate")
    (study / "summary" / "summary.csv").unlink()
    assert main(["crate", str(study)]) == 1
    assert capsys.readouterr().err.startswith(f"error: unreadable data file in {study}/summary/summary.csv")
    with pytest.raises(SystemExit, match="1"):
        stage(["--out", str(study / "crate" / METADATA), "--settings", json.dumps({"published": PUBLISHED})])
    assert capsys.readouterr().err.startswith("error: unreadable data file")


def test_only_a_study_gets_a_crate(made: Path, tmp_path: Path) -> None:
    study = shutil.copytree(made, tmp_path / "results" / made.name, ignore=shutil.ignore_patterns("crate"))
    for folder in (study.parent, study / "summary"):
        with pytest.raises(PipelineError, match="not a study"):
            write_crate(folder, "by request", 1.0, PUBLISHED)
        assert not (folder / "crate").exists()


@pytest.mark.parametrize("damage", ["no record", "no file", "another file", "another input", "no input", "nothing"])
def test_an_incomplete_study_gets_no_crate(made: Path, tmp_path: Path, damage: str) -> None:
    study = shutil.copytree(made, tmp_path / "results" / made.name, ignore=shutil.ignore_patterns("crate"))
    if damage == "no record":
        (study / "pretrain" / f"simclr-revised-crop-s0{RUN}").unlink()
    elif damage == "no file":
        (study / "summary" / "summary.csv").unlink()
    elif damage == "another file":
        (study / "summary" / "summary.csv").write_bytes(b"0.99")
    elif damage == "another input":
        path = study / "shard_plan" / f"plan{MANIFEST}"
        path.write_bytes(pretty({**json.loads(path.read_bytes()), "rows": {}}))
    elif damage == "no input":
        (study / "shard_plan" / f"plan{MANIFEST}").unlink()
    else:
        shutil.rmtree(study)
        study.mkdir()
    with pytest.raises(PipelineError):
        write_crate(study, "by request", 1.0, PUBLISHED)
    assert not (study / "crate").exists()
    assert not list(study.glob(".crate*"))


@pytest.mark.parametrize("name", ["notes.txt", "files/summary/mine.csv", "manifests/summary/mine.json"])
def test_a_crate_with_other_files_is_not_replaced(made: Path, tmp_path: Path, name: str) -> None:
    study = shutil.copytree(made, tmp_path / "results" / made.name)
    (study / "crate" / METADATA).unlink()  # as Snakemake does first
    write_crate(study, "", 1.0, PUBLISHED)
    (study / "crate" / name).write_text("{}")
    with pytest.raises(PipelineError, match=rf"folder in use in .*: .*{name} is not part of the crate"):
        write_crate(study, "", 1.0, PUBLISHED)
    assert (study / "crate" / name).exists()


def test_a_crate_that_is_a_link_is_not_replaced(made: Path, tmp_path: Path) -> None:
    study = shutil.copytree(made, tmp_path / "results" / made.name)
    (study / "crate").rename(tmp_path / "elsewhere")
    (study / "crate").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PipelineError, match="a link or file has the crate's name"):
        write_crate(study, "", 1.0, PUBLISHED)
