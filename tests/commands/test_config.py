"""What ``config`` prints of keys and sections."""

import re

import pytest

from workflow_scripts.commands.main import main
from workflow_scripts.stages import download, pretrain


def said(key: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["config", *([key] if key else [])]) == 0
    return capsys.readouterr().out


def test_config_prints_a_key_with_type_unit_default_and_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("pairs.k", capsys) == (
        "pairs.k\n"
        "  Partners per image; the paper uses 1.\n"
        "  type     integer ≥ 1\n"
        "  unit     partners\n"
        "  default  1\n"
        "  example  5\n"
    )


def test_an_item_number_in_a_key_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("pairs.0.k", capsys) == said("pairs.k", capsys)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("pairs.name", "  default  required"),
        ("datasets.val_fraction", "  type     number > 0, < 1"),
        ("datasets.limit", "  type     mapping of train, val, test to integer ≥ 1"),
        ("compute.device", "  type     auto, cpu, cuda"),
        ("annotations.source.sha256", "  example  '00000000…'"),
        ("pretraining.backbone", "  default  resnet50; config.yaml sets resnet34"),
        ("download.deadline", "  default  60.0"),  # config.yaml has 60
    ],
)
def test_lines_about_a_key(key: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert line in said(key, capsys).splitlines()


def test_keys_outside_the_key_of_their_stage_rerun_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    sections = {"download": download.STAGE, "pretraining": pretrain.STAGE}
    for section, stage in sections.items():
        keys = re.findall(r"^  (\w+)", said(section, capsys).partition("\n\n")[2], re.MULTILINE)
        outside = {key for key in keys if "\n  reruns   nothing\n" in said(f"{section}.{key}", capsys)}
        assert outside == stage.not_in_key


def test_a_section_lists_its_keys_and_a_mapping_those_of_its_entries(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said("download", capsys).splitlines()
    assert "  max_side              " in [line[:24] for line in lines] and "  hosts                 " in [
        line[:24] for line in lines
    ]
    text = said("download.hosts", capsys)
    assert text.splitlines()[-4:] == [
        "",
        "Limits of the requests to one host, for all jobs together. Each entry has these keys.",
        "  rate                  Maximum request rate. [required]",
        "  connections           Maximum number of concurrent requests. [required]",
    ]


def test_without_a_key_all_sections_are_listed_in_the_order_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said("", capsys).splitlines()
    names = [line.split()[0] for line in lines if line[2] != " "]
    assert names[:5] == ["study", "compute", "demo_world", "annotations", "shards"]
    assert lines[1] == "  compute           Device, threads and cores of jobs."


@pytest.mark.parametrize("key", ["", "pairs", "pretraining", "compute.device", "download.hosts", "evaluation.saliency"])
def test_lines_are_plain_text_of_at_most_100_columns(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(key, capsys)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert not any(mark in text for mark in ("`", "](", "\\", "*n", "*r", "\x1b"))


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("pairs.kk", "did you mean pairs.k?"),
        ("pair", "did you mean pairs?"),
        ("lr", "choose from pretraining.lr"),
        ("piars.k", "did you mean pairs.k? Choose from pairs.k"),
        ("bootstrap.x", "did you mean bootstrap?"),
        ("3", "choose from "),
    ],
)
def test_an_unknown_key_is_an_error_with_the_closest_spelling(
    key: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", key]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(f"error: unknown key in config: {key}; {advice}")
