"""What ``config`` prints of keys and sections."""

import pytest

from workflow_scripts.commands.main import main


def said(key: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["config", *([key] if key else [])]) == 0
    return capsys.readouterr().out


def test_config_prints_a_key_with_type_default_and_reruns(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("pairs.k", capsys) == (
        "pairs.k\n"
        "  partners per image; the paper uses 1\n"
        "  type     integer ≥ 1\n"
        "  unit     partners\n"
        "  default  1\n"
        "  example  5\n"
        "  reruns   pair_table\n"
    )


def test_an_item_number_in_a_key_is_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("pairs.0.k", capsys) == said("pairs.k", capsys)


def test_keys_that_rerun_nothing_and_keys_without_a_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("download.attempts", capsys).endswith("\n  reruns   nothing\n")
    assert "\n  default  required\n" in said("pairs.name", capsys)


def test_settings_that_several_keys_share_rerun_what_the_key_does_that_names_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of_annotations, of_matcher = (said(f"{key}.at", capsys) for key in ("annotations.source", "recaption.matcher"))
    assert of_annotations.endswith("\n  reruns   annotations, source\n")
    assert of_matcher.endswith("\n  reruns   caption_quality, recaption, source\n")
    assert "\n  reruns   pretrain\n" in said("pretraining.lr", capsys)


def test_a_section_lists_its_keys_and_a_mapping_those_of_its_entries(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said("download", capsys).splitlines()
    assert "  max_side              " in [line[:24] for line in lines] and "  hosts                 " in [
        line[:24] for line in lines
    ]
    text = said("download.hosts", capsys)
    assert text.splitlines()[-4:] == [
        "",
        "Limits of the requests to one host, for all jobs together. Each entry has these keys.",
        "  rate                  maximum request rate [required]",
        "  connections           maximum number of concurrent requests [required]",
    ]


def test_without_a_key_all_sections_are_listed_in_the_order_of_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said("", capsys).splitlines()
    names = [line.split()[0] for line in lines if line[2] != " "]
    assert names[:5] == ["study", "compute", "demo_world", "annotations", "shards"]
    assert lines[1] == "  compute           device, threads and cores of jobs"


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
