"""Recomputing: what comes out again, what does not, and that originals are left alone."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.acquisition.zips import row, write_zip
from tests.helpers import make_artifact, run
from workflow_scripts.commands.main import main
from workflow_scripts.core.declaration.facts import Tolerance
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.provenance.nodes import Node, load, read_node
from workflow_scripts.provenance.verify import (
    Deviation,
    Kind,
    Options,
    Verdict,
    command,
    deviation,
    differences,
    sample,
    verify,
)
from workflow_scripts.stages import annotations, shard_plan, source
from workflow_scripts.study.config.stages import tolerance


@pytest.fixture
def study(results: Path, tmp_path: Path) -> Path:
    """source -> annotations -> shard_plan by the real stages."""
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row(f"a{n}") for n in range(5)]})
    kept = run(source.STAGE, results, "source/annotations", {"at": str(path)}, unit={"source": "annotations"})
    inputs = {"annotations": kept.manifest_path}
    rows = run(annotations.STAGE, results, "annotations/rows", {}, inputs, sources={"annotations": path})
    settings = {"shards": 3, "rows_per_shard": 2}
    run(shard_plan.STAGE, results, "shard_plan/plan", settings, {"annotations": rows.manifest_path})
    return results / "study"


def node_of(study: Path, label: str) -> Node:
    """The node of ``<stage>/<name>``."""
    return read_node(study / f"{label}.manifest.json")


def edit_record(study: Path, label: str, change: Callable[[dict], None]) -> None:
    """Edit a run record."""
    path = study / f"{label}.run.json"
    record = json.loads(path.read_bytes())
    change(record)
    path.write_bytes(pretty(record))


def kinds(verdicts: list[Verdict]) -> dict[str, Kind]:
    """Suffix -> kind."""
    return {one.suffix: one.kind for one in verdicts}


def state(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Inode, size, mtime and mode of everything below a folder."""
    found = {str(path): path.lstat() for path in sorted(folder.rglob("*"))}
    return {name: (one.st_ino, one.st_size, one.st_mtime_ns, one.st_mode) for name, one in found.items()}


def test_sampled_stages_are_reproduced_and_originals_left_unchanged(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(study.parent)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    status = main(["verify", str(study), "--sample", "3", "--scratch", str(scratch)])
    printed = capsys.readouterr().out.splitlines()
    assert status == 0, printed
    assert [line.split("  ")[0] for line in printed[:-1]] == ["bit-exact"] * 7
    assert printed[-1] == "3 artifacts, 7 files: 7 bit-exact"
    assert state(study.parent) == before
    assert list(scratch.iterdir()) == []


def test_a_result_that_is_not_reproduced_differs_and_is_kept(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_record(study, "shard_plan/plan", lambda record: record["settings"].update(rows_per_shard=3))
    assert main(["verify", str(study / "shard_plan"), "--json", "--scratch", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    found = {one["suffix"]: one for one in json.loads(printed.out)}
    assert found[".json"]["kind"] == found[".parquet"]["kind"] == "differs"
    assert "no tolerance for this file; though code, threads" in found[".parquet"]["detail"]
    kept = Path(printed.err.splitlines()[-1].rpartition(" ")[2])
    assert (kept / "results/study/shard_plan/plan.parquet").exists()


@pytest.mark.parametrize(
    ("allowed", "threads", "kind"), [(1.0, 2, Kind.WITHIN), (1.0, 1, Kind.DIFFERS), (0.9, 2, Kind.DIFFERS)]
)
def test_a_tolerance_applies_only_if_the_machine_differs(
    study: Path, tmp_path: Path, allowed: float, threads: int, kind: Kind
) -> None:
    edit_record(study, "shard_plan/plan", lambda record: record["settings"].update(rows_per_shard=3))
    bound = Tolerance(0.0, allowed, "measured here")
    options = Options(tmp_path / "s", lambda _, suffix: bound if suffix == ".parquet" else None, threads=threads)
    verdicts = verify(node_of(study, "shard_plan/plan"), options)
    table = next(one for one in verdicts if one.suffix == ".parquet")
    assert table.kind == kind
    assert "100.00% of cells by more than 0e+00 (key)" in table.detail
    assert "measured here" in table.detail


def test_a_damaged_original_is_not_taken_for_the_recorded_file(study: Path, tmp_path: Path) -> None:
    path = study / "shard_plan/plan.json"
    path.unlink()
    path.write_text("{}")
    assert set(kinds(verify(node_of(study, "shard_plan/plan"), Options(tmp_path / "s", tolerance))).values()) == {
        Kind.EXACT
    }
    edit_record(study, "shard_plan/plan", lambda record: record["settings"].update(rows_per_shard=3))
    verdicts = {
        one.suffix: one for one in verify(node_of(study, "shard_plan/plan"), Options(tmp_path / "t", tolerance))
    }
    assert "run audit" in verdicts[".json"].detail


def test_a_verdict_mentions_differing_code_and_threads(study: Path, tmp_path: Path) -> None:
    edit_record(study, "shard_plan/plan", lambda record: record.update(code="older"))
    verdicts = verify(node_of(study, "shard_plan/plan"), Options(tmp_path / "s", tolerance, threads=2))
    assert {(one.kind, one.detail) for one in verdicts} == {(Kind.EXACT, "though other code, 2 math threads, 1 before")}


def test_a_difference_says_when_only_the_files_of_a_package_differ(study: Path) -> None:
    node = node_of(study, "shard_plan/plan")
    options = Options(study, tolerance)
    assert differences(node, options) == []
    name = sorted(node.record["package_records"].keys() & node.record["environment"]["packages"].keys())[0]
    edit_record(study, "shard_plan/plan", lambda record: record["package_records"].update({name: "0" * 16}))
    node = node_of(study, "shard_plan/plan")
    assert differences(node, options) == [f"other files of {name}, of the same version"]
    edit_record(study, "shard_plan/plan", lambda record: record["packages"].update({name: "0"}))
    (found,) = differences(node_of(study, "shard_plan/plan"), options)
    assert found.startswith(f"{name} ") and found.endswith(", 0 before")


def test_a_verdict_mentions_differing_environment_variables(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"OPENBLAS_CORETYPE": "Haswell", "MKL_CBWR": "AVX2", "CUBLAS_WORKSPACE_CONFIG": None, "OMP_NUM_THREADS": 9}
    edit_record(study, "shard_plan/plan", lambda record: record["determinism"].update(flags))
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    verdicts = verify(node_of(study, "shard_plan/plan"), Options(tmp_path / "s", tolerance))
    told = "ATEN_CPU_CAPABILITY avx2, not set before, MKL_CBWR COMPATIBLE, AVX2 before"
    told += ", OPENBLAS_CORETYPE not set, Haswell before"
    assert {(one.kind, one.detail) for one in verdicts} == {(Kind.EXACT, f"though {told}")}


def test_downloads_and_timestamped_artifacts_are_not_recomputed(results: Path, tmp_path: Path) -> None:
    for stage, settings in [("download", {}), ("source", {"at": "https://a.invalid/x"}), ("crate", {})]:
        path = make_artifact(results, stage, "x", {".bin": b"x"})
        path.with_name("x.run.json").write_bytes(pretty({"settings": settings, "inputs": {}, "input_files": {}}))
        assert kinds(verify(read_node(path), Options(tmp_path / "none", tolerance))) == {".bin": Kind.BY_DESIGN}
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda study: (study / "shard_plan/plan.run.json").unlink(), "no run record"),
        (lambda study: (study / "annotations/rows.parquet").unlink(), "a file of its inputs is missing"),
        (lambda study: (study / "source/annotations.files.json").unlink(), "a file of its inputs is missing"),
        (lambda study: (study / "annotations/rows.manifest.json").unlink(), "its input annotations is missing"),
        (
            lambda study: (study / "annotations/rows.manifest.json").write_text("{}"),
            "its input annotations is not the recorded one",
        ),
        (
            lambda study: edit_record(study, "shard_plan/plan", lambda one: one["settings"].update(shards=1)),
            "too few shards",
        ),
        (
            lambda study: edit_record(study, "shard_plan/plan", lambda one: one["environment"].update(device="cuda")),
            "GPU",
        ),
    ],
)
def test_obstacles_to_recomputing_are_reported(
    study: Path, tmp_path: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(study)
    verdicts = verify(node_of(study, "shard_plan/plan"), Options(tmp_path / "s", tolerance))
    assert kinds(verdicts) == {"": Kind.IMPOSSIBLE}
    assert reason in verdicts[0].detail


def test_a_source_without_a_manifest_is_not_guessed(study: Path, tmp_path: Path) -> None:
    edit_record(study, "annotations/rows", lambda record: record["input_files"].update(annotations=[]))
    verdicts = verify(node_of(study, "annotations/rows"), Options(tmp_path / "s", tolerance))
    assert "no manifest that gives its location" in verdicts[0].detail


def test_the_recomputing_command_has_the_recorded_unit_inputs_and_sources(study: Path, tmp_path: Path) -> None:
    words = command(node_of(study, "annotations/rows"), tmp_path / "x", Options(tmp_path, tolerance, workers=3))
    rest = words[words.index("--unit") :]
    assert rest[:1] == ["--unit"]
    assert f"annotations={study / 'source/annotations.manifest.json'}" in rest
    assert f"annotations={tmp_path / 'a.zip'}" in rest
    assert rest[-6:] == ["--device", "cpu", "--threads", "1", "--workers", "3"]


def test_a_sample_covers_every_stage_before_repeating_any(results: Path) -> None:
    for stage, count in [("a", 5), ("b", 1), ("c", 3)]:
        for number in range(count):
            make_artifact(results, stage, str(number), {})
    nodes = load(results)
    assert [node.stage for node in sample(nodes, 3, 0)] == ["a", "b", "c"]
    assert [node.stage for node in sample(nodes, 5, 0)] == ["a", "a", "b", "c", "c"]
    assert len(sample(nodes, 100, 0)) == 9
    assert sample(nodes, 4, 7) == sample(nodes, 4, 7)
    assert len({tuple(node.label for node in sample(nodes, 3, seed)) for seed in range(20)}) > 3


def test_an_empty_folder_is_refused(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(results)]) == 1
    assert "nothing to verify" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["--sample=-3", "--sample=0", "--threads=0", "--workers=x"])
def test_counts_below_one_are_rejected(study: Path, argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(study), argument]) == 2
    assert f"'{argument.partition('=')[0]}': Input should be " in capsys.readouterr().err


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """Two places for files."""
    return tmp_path / "ours", tmp_path / "theirs"


def test_deviations_are_relative_to_the_largest_value_of_the_column(both: tuple[Path, Path]) -> None:
    for path, value in zip(both, (8.001, 8.0), strict=True):
        pq.write_table(pa.table({"x": [value, 1.0], "small": [value / 1e6, 0.0], "name": ["a", "b"]}), path)
    found = deviation(*both, ".parquet")
    assert isinstance(found, Deviation)
    assert found.number == pytest.approx(0.001 / 8)
    assert (found.unequal, found.where) == (0.5, "x")
    assert deviation(*both, ".parquet", bound=0.001) == Deviation(found.number, 0.0, "x")


def test_text_cells_are_compared_by_share_and_lists_by_content(both: tuple[Path, Path]) -> None:
    names = ["a", "b", None, "d"]
    pq.write_table(pa.table({"name": names, "list": [[1.0], [], [2.0], [3.0]]}), both[1])
    pq.write_table(pa.table({"name": ["a", "B", None, "D"], "list": [[1.0], [], [2.0], [3.5]]}), both[0])
    assert deviation(*both, ".parquet") == Deviation(0.5 / 3.0, 0.5, "list")
    pq.write_table(pa.table({"name": names, "list": [[1.0], [2.0], [], [3.0]]}), both[0])
    assert deviation(*both, ".parquet") == Deviation(0.0, 0.5, "list (lengths)")


def test_tensors_arrays_json_and_pictures(both: tuple[Path, Path]) -> None:
    for path, shift in zip(both, (0.5, 0.0), strict=True):
        weights = np.array([3.0 + shift, 4.0], np.float32)
        save_file({"w": weights, "b": np.zeros(2, np.float32), "n": np.array([3])}, path)
    assert deviation(*both, "/last.safetensors") == Deviation(0.5 / 5.0, 1.0, "weights")
    assert deviation(*both, "/last.safetensors", bound=0.1) == Deviation(0.5 / 5.0, 0.0, "weights")
    for path, shift in zip(both, (0.5, 0.0), strict=True):
        np.savez(path.with_suffix(".npz"), maps=np.array([[1.0, 2.0 + shift]]), image=np.array([1, 2]))
    assert deviation(*(path.with_suffix(".npz") for path in both), ".npz") == Deviation(0.25, 0.5, "maps")
    for path, value in zip(both, ("4.5,b", "4.0,a"), strict=True):
        path.write_text(f"x,name\n{value}\n,c\n")
    assert deviation(*both, ".csv") == Deviation(0.125, 1.0, "x")
    for path, value in zip(both, ("1", "0.5"), strict=True):  # whole floats are written without a point
        path.write_text(f"x,name\n{value},a\n1,c\n")
    assert deviation(*both, ".csv") == Deviation(0.5, 0.5, "x")
    for path, shift in zip(both, (1, 0), strict=True):
        with open(path, "wb") as stream:
            np.save(stream, np.array([7, 8 + shift]))
    assert deviation(*both, ".npy") == Deviation(0.0, 0.5, "array")
    for path, values in zip(both, ({"a": [1.5, "x"], "b": None}, {"a": [1.25, "y"], "b": None}), strict=True):
        path.write_text(json.dumps(values))
    assert deviation(*both, ".json") == Deviation(0.25 / 1.25, 1.0, ".a[0]")
    assert deviation(*both, ".json", bound=0.2) == Deviation(0.25 / 1.25, 0.5, "values")
    for path, colour in zip(both, (9, 8), strict=True):
        image = Image.new("L", (2, 2), 8)
        image.putpixel((0, 0), colour)
        image.save(path, "PNG")
    assert deviation(*both, ".png") == Deviation(0.0, 0.25, "pixels")


def test_weights_of_another_shape_or_nan_never_pass(both: tuple[Path, Path]) -> None:
    save_file({"w": np.zeros((2, 3), np.float32)}, both[0])
    save_file({"w": np.zeros((3, 2), np.float32)}, both[1])
    assert deviation(*both, ".safetensors") == Deviation(0.0, 1.0, "shapes")
    save_file({"w": np.full((3, 2), np.nan, np.float32)}, both[0])
    assert deviation(*both, ".safetensors") == Deviation(float("inf"), 1.0, "weights")


def test_nan_must_be_nan_in_both_files(both: tuple[Path, Path]) -> None:
    for path, value in zip(both, (1.0, float("nan")), strict=True):
        with open(path, "wb") as stream:
            np.save(stream, np.array([value, 1.0]))
    assert deviation(*both, ".npy") == Deviation(float("inf"), 1.0, "array")
    assert deviation(both[1], both[1], ".npy") == Deviation(0.0, 0.0, "")


def test_differing_columns_shapes_kinds_and_broken_files_are_reported(both: tuple[Path, Path]) -> None:
    pq.write_table(pa.table({"x": [1.0]}), both[0])
    pq.write_table(pa.table({"y": [1.0]}), both[1])
    assert deviation(*both, ".parquet") == "names differ: x, y"
    pq.write_table(pa.table({"x": [1.0, 2.0]}), both[1])
    assert "x has another type or shape" in str(deviation(*both, ".parquet"))
    both[1].write_bytes(b"PAR1")
    assert "can't be read" in str(deviation(*both, ".parquet"))
    assert deviation(*both, ".tar") == "files of this kind are compared by bytes only"


def test_no_pickle_is_ever_loaded(both: tuple[Path, Path]) -> None:
    for path in both:
        with open(path, "wb") as stream:
            np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    assert "can't be read" in str(deviation(*both, ".npy"))
