"""``impact`` against an independent walk over the JSON of manifests and run records."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.provenance.hand_made import COMMIT, HandMade, cached, edit_record, fake_hash, whole_study
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed

OTHER_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
TABLES = {  # rows of each artifact: r1 is everywhere, r2 was not fetched, r3 was dropped, r4 is in the other shard
    "shard_plan/plan": ("key", ["r1", "r2", "r4"]),
    "download/00000": ("key", ["r1", "r2"]),
    "download/00001": ("key", ["r4"]),
    "image_index/images": ("key", ["r1", "r4"]),
    "recaption/00000": ("key", ["r1"]),
    "recaption/00001": ("key", ["r4"]),
}
Seeds = Callable[[str, dict[str, Any]], bool]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies that share sources and shards; a few artifacts were made differently."""
    root = tmp_path_factory.mktemp("impact") / "results"
    for study in (whole_study(root, "a"), whole_study(root, "b", margin=0.5)):
        for label, (column, keys) in TABLES.items():
            pq.write_table(pa.table({column: keys}), study / f"{label}.parquet")
        rows = {"image_id": ["r1", "r2", "r4"], "url": [f"https://example.org/{row}" for row in ("r1", "r2", "r4")]}
        pq.write_table(pa.table(rows), study / "annotations" / "rows.parquet")
        token = hashlib.sha256(b"id:r5").hexdigest()
        pq.write_table(pa.table({"image_id": ["r3", token], "url": ["", ""]}), study / "annotations/rows.apart.parquet")
        listing = [{"path": name, "bytes": 1, "sha256": fake_hash(name)} for name in ("config.json", "weights.bin")]
        (study / "source" / "matcher.files.json").write_bytes(pretty(listing))
        edit_record(study / f"source/matcher{RUN}", settings={"at": "models/blip"})
    one = root / "a"
    edit_record(one / f"pretrain/simclr-original-crop-s1{RUN}", packages={"numpy": "2.5.0", "Some_Package": "1.0"})
    numpy = {"packages": {"numpy": "2.6"}, "package_records": {"numpy": "ab12" * 4}}
    edit_record(one / f"embed_captions/revised.minilm{RUN}", **numpy)
    edit_record(one / f"pair_table/original{RUN}", git={"commit": OTHER_COMMIT, "dirty": True, "diff": fake_hash("d")})
    taken = json.loads((one / f"features/simclr-revised-crop-s1.last.pets{RUN}").read_bytes())
    taken["git"] = {"commit": "5" * 40, "dirty": False, "diff": None}
    (one / f"features/simclr-revised-crop-s1.last.pets{RUN}").write_bytes(pretty(cached(sealed(taken))))
    return root


def walk(results: Path, is_seed: Seeds) -> set[str]:
    """``<study>/<stage>/<name>`` of what depends on the seeds, by nothing but names and hashes in JSON files."""
    records = {str(path.relative_to(results))[: -len(RUN)]: json.loads(path.read_text()) for path in runs(results)}
    sums = {label: hashlib.sha256((results / f"{label}{MANIFEST}").read_bytes()).hexdigest() for label in records}
    read = {}
    for label, record in records.items():
        study, pairs = label.split("/")[0], set()
        for name, paths in record["input_files"].items():
            for path, sha256 in zip(paths, record["inputs"][name], strict=True):
                above = "/".join([study, *path[: -len(MANIFEST)].split("/")[-2:]])
                assert sums[above] == sha256
                pairs.add(above)
        read[label] = pairs
    found = {label for label, record in records.items() if is_seed(label, record)}
    while more := {label for label, pairs in read.items() if label not in found and pairs & found}:
        found |= more
    return found


def runs(results: Path) -> list[Path]:
    return sorted(results.glob(f"*/*/*{RUN}"))


def made(record: dict[str, Any]) -> dict[str, Any]:
    return record.get("original") or record


def named(*labels: str) -> Seeds:
    return lambda label, _: label.split("/", 1)[1] in labels


def at_commit(commit: str) -> Seeds:
    return lambda _, record: made(record)["git"]["commit"] == commit


def with_package(name: str, version: str) -> Seeds:
    return lambda _, record: made(record)["packages"].get(name) == version


CAUSES: dict[str, tuple[str, Seeds]] = {
    "changed byte in a model folder": ("models/blip/weights.bin", named("source/matcher")),
    "model folder": ("models/blip", named("source/matcher")),
    "model by name": ("encoder-minilm", named("source/encoder-minilm")),
    "model by its encoder's name": ("minilm", named("source/encoder-minilm")),
    "model by repository": ("example/captioner", named("source/captioner")),
    "model by location": ("hub:example/captioner@abc123", named("source/captioner")),
    "annotation zip": ("annotations/redcaps_v1.0.zip", named("source/annotations")),
    "package version of all": ("numpy==2.4.6", with_package("numpy", "2.4.6")),
    "package version of one": ("numpy==2.5.0", with_package("numpy", "2.5.0")),
    "package by another spelling": ("some-package==1.0", with_package("Some_Package", "1.0")),
    "build of a package": ("numpy==2.6@ab12", with_package("numpy", "2.6")),
    "commit of all": (COMMIT, at_commit(COMMIT)),
    "start of a commit": (OTHER_COMMIT[:8], at_commit(OTHER_COMMIT)),
    "commit of what came from the cache": ("5" * 12, at_commit("5" * 40)),
    "shard": ("results/a/download/00001.tar", named("download/00001")),
    "arm that differs between the studies": (
        "results/b/select_captions/revised.parquet",
        lambda label, _: label == "b/select_captions/revised",
    ),
    "network": ("results/a/pretrain/simclr-original-crop-s0/last.safetensors", lambda label, _: label.endswith(
        "pretrain/simclr-original-crop-s0")),
    "pair table by its manifest": (f"results/a/pair_table/original{MANIFEST}", named("pair_table/original")),
    "downstream set": ("results/a/eval_dataset/pets.tar", named("eval_dataset/pets")),
    "module of the code": (
        f"{ROOT}/workflow_scripts/stages/pair_table.py",
        lambda _, record: "workflow_scripts.stages.pair_table" in made(record)["closure"],
    ),
    "report": ("results/a/report/index.html", lambda label, _: label == "a/report/index"),
}  # fmt: skip


def ask(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    assert main(["impact", *map(str, argv), "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def labels_of(answer: dict[str, Any]) -> set[str]:
    return {f"{Path(one['study']).name}/{one['artifact']}" for one in answer["artifacts"]}


@pytest.mark.parametrize("name", CAUSES)
def test_twenty_planted_causes_reach_what_an_independent_walk_finds(
    name: str, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    text, is_seed = CAUSES[name]
    expected = walk(results, is_seed)
    answer = ask(capsys, text)
    assert expected
    assert labels_of(answer) == expected
    # Every chain is one: each artifact read the next, and the last is a seed.
    for entry in answer["artifacts"]:
        study = Path(entry["study"])
        assert entry["chain"][0] == entry["artifact"]
        for reader, read in zip(entry["chain"], entry["chain"][1:], strict=False):
            record = json.loads((study / f"{reader}{RUN}").read_text())
            assert any(
                path.endswith(f"/{read}{MANIFEST}") for paths in record["input_files"].values() for path in paths
            )
        last = entry["chain"][-1]
        assert is_seed(f"{study.name}/{last}", json.loads((study / f"{last}{RUN}").read_text()))


def test_numbers_are_those_whose_files_were_reached(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    answer = ask(capsys, "numpy==2.5.0", "results/a")
    rows = [number["row"] for number in answer["numbers"] if number["table"] == "rows"]
    assert {row["run"] for row in rows} == {"simclr-original-crop-s1"}
    assert {row["metric"] for row in rows} == {"linear_probe.accuracy", "linear_probe.top5"}
    differences = [number for number in answer["numbers"] if number["table"] == "contrasts"]
    assert [number["row"]["contrast"] for number in differences] == ["revised - original"]
    run = "simclr-original-crop-s1"
    chain = [f"linear_probe/{run}.last.pets", f"features/{run}.last.pets", f"pretrain/{run}"]
    assert differences[0]["chain"] == chain
    assert answer["runs"] == [{"study": str(results / "a"), "run": run}]


ROWS = {
    "r1": ("annotations", "shard_plan", "download/00000", "image_index", "recaption/00000", "pretrain", "summary"),
    "r2": ("annotations", "shard_plan", "download/00000", "report"),
    "r3": ("annotations",),
    "r4": ("annotations", "shard_plan", "download/00001", "image_index", "recaption/00001", "pretrain", "summary"),
    "r5": ("annotations",),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_reaches_what_holds_it_and_what_was_made_from_that(
    row: str, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """r5 was removed: only a digest of its id is left in the annotations."""
    monkeypatch.chdir(results.parent)
    found = {label.removeprefix("a/") for label in labels_of(ask(capsys, row, "results/a"))}
    stages = {label.partition("/")[0] for label in found}
    assert {one for one in ROWS[row] if one not in found | stages} == set()
    by_row = {"download", "recaption", "image_index"}
    assert {one for one in found if one.partition("/")[0] in by_row} == {
        label for label, (_, keys) in TABLES.items() if row in keys and label != "shard_plan/plan"
    }
    if row in ("r2", "r3", "r5"):
        assert not stages & {"pretrain", "caption_table", "summary"}


def test_a_row_is_found_by_its_url(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    by_url, by_id = ask(capsys, "https://example.org/r4"), ask(capsys, "r4")
    assert labels_of(by_url) == labels_of(by_id)


def test_readers_of_a_replaced_artifact_count_for_the_file_and_are_unknown_for_other_causes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    one = HandMade(tmp_path / "results")
    one.make("pair_table/x", [".json"])
    one.make("pretrain/r", ["/last.safetensors"], {"pairs": ["pair_table/x"]})
    one.make("features/r", [".npy"], {"run": ["pretrain/r"]})
    one.make("pair_table/x", [".json"], git={"commit": OTHER_COMMIT, "dirty": None, "diff": None}, settings={"k": 2})
    answer = ask(capsys, "results/study/pair_table/x.json")
    assert labels_of(answer) == {"study/pair_table/x", "study/pretrain/r", "study/features/r"}
    answer = ask(capsys, OTHER_COMMIT)
    assert labels_of(answer) == {"study/pair_table/x"}
    assert [Path(entry["artifact"]).name for entry in answer["unknown"]] == [f"r{MANIFEST}", f"r{MANIFEST}"]


def test_a_verdict_depends_on_the_scores_of_other_primary_contrasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = whole_study(tmp_path / "results")
    head = {"dataset": "pets", "metric": "m", "level": "joint", "difference": 0.1, "verdict": "supported"}
    rows = [{"contrast": "x", **head, "primary": "p"}, {"contrast": "y", **head, "primary": "p"}]
    rows += [{"contrast": name, **head, "primary": ""} for name in "zw"]
    pq.write_table(pa.Table.from_pylist(rows), study / "summary" / "summary.contrasts.parquet")
    listed = json.loads((study / "summary" / "summary.sources.json").read_text())
    (study / "summary" / "summary.sources.json").write_text(json.dumps({**listed, "contrasts": [[0], [3], [3], [3]]}))
    answer = ask(capsys, "results/study/pretrain/simclr-original-crop-s0/run.json")
    found = {n["row"]["contrast"]: (n["verdict"], n["joint"]) for n in answer["numbers"] if n["table"] == "contrasts"}
    assert found == {"x": ("supported", False), "y": ("supported", True)}
    assert main(["impact", "results/study/pretrain/simclr-original-crop-s0/run.json"]) == 0
    assert "1 runs, 4 numbers, 2 verdicts" in capsys.readouterr().out
    # Only z, which has no verdict, reads the run; the others share the variance of arms, if any, of its step.
    for arms, step, wanted in ((0, "last", {"z"}), (6, "last", {"w", "x", "y", "z"}), (6, "best", {"z"})):
        table = pa.Table.from_pylist([{**row, "arms": arms, "step": step} for row in rows])
        pq.write_table(table, study / "summary" / "summary.contrasts.parquet")
        scores = pa.Table.from_pylist([{"run": "a", "metric": "m", "step": "last", "value": 0.5, "batch_size": 64}] * 3)
        pq.write_table(scores, study / "summary" / "summary.parquet")
        lists = json.dumps({**listed, "rows": [[0], [3], [3]], "contrasts": [[3], [3], [0], [3]]})
        (study / "summary" / "summary.sources.json").write_text(lists)
        answer = ask(capsys, "results/study/pretrain/simclr-original-crop-s0/run.json")
        contrasts = [number for number in answer["numbers"] if number["table"] == "contrasts"]
        assert {number["row"]["contrast"] for number in contrasts} == wanted


def test_what_would_get_another_key_is_listed_with_what_follows_from_it(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    monkeypatch.setattr("workflow_scripts.study.active_config.units_of", lambda *_: object())
    stale = {"pair_table/revised": "made by other code"}
    monkeypatch.setattr("workflow_scripts.study.freshness.other_keys", lambda *_: dict(stale))
    answer = ask(capsys, "encoder-minilm", "results/a", "--would-change")
    found = {entry["artifact"]: entry["another_key"] for entry in answer["artifacts"]}
    assert found.pop("pair_table/revised") == "made by other code"
    assert found.pop("pretrain/simclr-revised-crop-s0") == "if pair_table/revised gets other bytes"
    assert all("gets other bytes" in reason for reason in found.values())
    assert {label.split("/")[0] for label in found} == {"pretrain", "features", "linear_probe", "summary", "report"}
    assert not any("original" in label for label in found)


def test_without_a_config_it_is_not_known_what_would_change(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    assert main(["impact", "encoder-minilm", "results/a", "--would-change"]) == 1
    assert "--configfile" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "numpy==9", "0123abc9", "no-such-model", "results/none/x/y.json"])
def test_what_no_record_names_is_an_error(
    text: str, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    assert main(["impact", text]) == 1
    told = "unknown cause" if text else "no cause"
    assert capsys.readouterr().err.startswith(f"error: {told} in ")


def test_a_name_from_a_record_is_printed_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    HandMade(tmp_path / "results").make("pair_table/x", [".json"], packages={"evil\x1b[31m": "1"})
    HandMade(tmp_path / "results").make("source/m", [".files.json"], settings={"at": "hub:a/\x1b]0;b@c"})
    assert main(["impact", "m"]) == 0
    assert "\x1b" not in capsys.readouterr().out
