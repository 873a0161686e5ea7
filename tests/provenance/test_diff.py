import json
from pathlib import Path

import pytest

from tests.provenance.golden import check_golden
from tests.provenance.hand_made import HandMade, edit_record, fake_hash, whole_study
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.provenance.diff import module_differences

CHECKPOINT = f"pretrain/simclr-revised-crop-s0{MANIFEST}"


def ask(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str]:
    return main(["diff", *(str(one) for one in argv)]), capsys.readouterr().out


def test_equal_artifacts_have_no_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (whole_study(tmp_path / name) for name in "ab")
    status, text = ask(capsys, a / CHECKPOINT, b / CHECKPOINT)
    assert status == 0
    assert "the same content" in text
    assert text.endswith("  nothing differs in settings, code, inputs or versions\n")


def test_the_earliest_differing_setting_is_reported_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = whole_study(tmp_path / "a"), whole_study(tmp_path / "b", margin=0.5)
    status, text = ask(capsys, a / CHECKPOINT, b / CHECKPOINT)
    assert status == 1
    check_golden("diff-setting", text)
    found = json.loads(ask(capsys, a / CHECKPOINT, b / CHECKPOINT, "--json")[1])
    stages = [one["a"]["artifact"].split("/")[0] for one in found]
    assert stages == ["select_captions", "embed_captions", "pair_table", "pretrain"]
    assert [one["first"] for one in found] == [True, False, False, False]
    assert found[0]["settings"] == {"margin": [0.0, 0.5]}
    assert found[3]["settings"] == {}
    assert [pair["name"] for pair in found[3]["inputs"]] == ["pairs"]


def test_settings_outside_the_key_make_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = whole_study(tmp_path / "a"), whole_study(tmp_path / "b")
    shard = f"download/00000{RUN}"
    settings = json.loads((a / shard).read_bytes())["settings"]
    edit_record(b / shard, settings={**settings, "attempts": 77})
    _, text = ask(capsys, a / shard, b / shard)
    assert text.endswith("  nothing differs in settings, code, inputs or versions\n")
    edit_record(b / shard, settings={**settings, "jpeg_quality": 3})
    found = json.loads(ask(capsys, a / shard, b / shard, "--json")[1])
    assert list(found[0]["settings"]) == ["jpeg_quality"]


def test_two_artifacts_of_the_same_study_can_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = whole_study(tmp_path / "a")
    other = study / "linear_probe" / "simclr-original-crop-s1.last.pets.parquet"
    status, text = ask(capsys, study / "linear_probe" / "simclr-revised-crop-s0.last.pets.parquet", other)
    assert status == 1
    check_golden("diff-two-runs", text)


def test_different_bytes_from_the_same_recipe_are_reported_as_unexplained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = whole_study(tmp_path / "a"), whole_study(tmp_path / "b", made_by="another machine")
    found = json.loads(ask(capsys, a / CHECKPOINT, b / CHECKPOINT, "--json")[1])
    first = [one["a"]["artifact"] for one in found if one["first"]]
    assert sorted(first) == ["source/annotations", "source/captioner", "source/encoder-minilm", "source/matcher"]
    assert all(one["unexplained"] for one in found if one["first"])
    assert "same code, settings and inputs, other bytes" in ask(capsys, a / CHECKPOINT, b / CHECKPOINT)[1]


def test_versions_and_rows_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name, version, lost in (("a", "2.4.6", 1), ("b", "2.5.0", 2)):
        one = HandMade(tmp_path / name, made_by=version)
        rows = (10, 10 - lost, {"no_pair": lost})
        paths.append(one.make("pair_table/x", [".json"], rows=rows, packages={"numpy": version}, python="3.11.7"))
    status, text = ask(capsys, *paths)
    assert status == 1
    table = [[cell.split() for cell in line.split("|")] for line in text.splitlines() if "|" in line]
    assert [["rows", "no_pair", "1"], ["2"]] in table
    assert [["version", "numpy", "2.4.6"], ["2.5.0"]] in table


def test_a_repacked_wheel_of_the_same_version_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name, record in (("a", "ab" * 8), ("b", "cd" * 8)):
        records = {"numpy": record, "scipy": "00" * 8, "torch": record} | ({"only": "1"} if name == "a" else {})
        packages = {"numpy": "2.4.6", "scipy": "1.17", "torch": f"2.8.{name}"}
        one = HandMade(tmp_path / name, made_by=name)
        paths.append(one.make("pair_table/x", [".json"], packages=packages, package_records=records))
    found = json.loads(ask(capsys, *paths, "--json")[1])[0]
    assert found["versions"] == {"torch": ["2.8.a", "2.8.b"], "numpy, its files": ["ab" * 8, "cd" * 8]}
    assert not found["unexplained"]


def test_a_replaced_input_is_reported_as_no_longer_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = whole_study(tmp_path / "a"), whole_study(tmp_path / "b", margin=0.5)
    path = a / "select_captions" / f"revised{MANIFEST}"
    path.write_bytes(pretty({**json.loads(path.read_bytes()), "rows": {}}))
    text = ask(capsys, a / CHECKPOINT, b / CHECKPOINT)[1]
    assert "first differing ancestor: embed_captions/revised.minilm" in text
    assert "no longer there" in text


def test_artifacts_of_two_stages_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = whole_study(tmp_path / "a")
    assert main(["diff", str(study / CHECKPOINT), str(study / "report" / "index.html")]) == 2
    assert capsys.readouterr().err.startswith("error: artifacts of different stages in ")


# Code ----------------------------------------------------------------------------------------------------------------


def test_added_and_removed_modules_and_changed_data_files_are_reported() -> None:
    a, b = {"pack.one": "1", "pack/style.css": "1", "pack.same": "0"}, {"pack.two": "2", "pack/style.css": "2"}
    found = module_differences(a, {**b, "pack.same": "0"})
    assert found == {"pack.one": "only in A", "pack.two": "only in B", "pack/style.css": "changed"}


def test_changed_modules_are_reported_in_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = "workflow_scripts.pairs.ties"
    paths = []
    for name in "ab":
        one = HandMade(tmp_path / name, made_by=name)
        closure = {module: fake_hash(name), "workflow_scripts.pairs.same": fake_hash("same")}
        about = {"code": fake_hash(f"code {name}"), "git": {"commit": name * 40, "dirty": False, "diff": None}}
        paths.append(one.make("pair_table/x", [".json"], closure=closure, **about))
    status, text = ask(capsys, *paths)
    assert status == 1
    assert f"  code in {module}: changed\n  their commits: git diff aaaaaaaaaa bbbbbbbbbb\n" in text
    assert "pairs.same" not in text
    edit_record(paths[0].with_name(f"x{RUN}"), closure={})
    assert "which modules differ is not recorded" in ask(capsys, *paths)[1]


def test_code_counted_as_the_same_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name in "ab":
        one = HandMade(tmp_path / name, made_by=name)
        closure = {"workflow_scripts.stages.download": fake_hash(name)}
        paths.append(one.make("download/00000", [".tar"], code="format-1", closure=closure))
    text = ask(capsys, *paths)[1]
    assert "counted as the same code" in text
    assert "not reproducible" not in text
