import re
from pathlib import Path

import pytest

from workflow_scripts.commands.main import main


def test_cost_prints_both_study_sizes_as_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost"]) == 0
    said = capsys.readouterr().out
    assert re.findall(r"\*\*(.+) \(.+ rows\)\*\*", said) == ["RedCaps-2020", "RedCaps"]
    assert "| download | 3,477 | " in said
    assert said.count("| all | ") == 2
    assert said.rstrip().split("\n")[-1].startswith("Estimates: 40 TFLOP/s sustained per GPU; 60% of RedCaps' images")


def test_cost_uses_the_row_count_of_a_fixed_size_study(capsys: pytest.CaptureFixture[str]) -> None:
    demo = ["--configfile", "profiles/demo/study.yaml"]
    assert main(["cost", *demo]) == 0
    assert "**demo (3,115 rows)**" in capsys.readouterr().out
    assert main(["cost", *demo, "--configfile", "profiles/demo/resnet18.yaml", "--rows", "500"]) == 0
    assert capsys.readouterr().out.startswith("**demo_resnet18 (500 rows)**")


def test_other_data_than_redcaps_has_what_its_shards_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = "study: own\nannotations: {source: photos}\nshards: {shards: 2, rows_per_shard: 500, group: all}\n"
    (tmp_path / "own.yaml").write_text(own)
    assert main(["cost", "--configfile", str(tmp_path / "own.yaml")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("**own (1,000 rows)**") and said.count("| all | ") == 1 and "RedCaps" not in said


def test_an_invalid_overlay_is_a_single_line_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "over.yaml").write_text("pretraining: {stepz: 3}\n")
    assert main(["cost", "--configfile", str(tmp_path / "over.yaml")]) == 1
    assert "over.yaml:1 (pretraining.stepz): 'stepz'; did you mean steps?" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--rows", "0"), ("--rows", "-5"), ("--tflops", "0"), ("--tflops", "nan")])
def test_numbers_that_are_not_positive_are_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *words]) == 2
    assert f"Invalid value for '{words[0]}': " in capsys.readouterr().err
