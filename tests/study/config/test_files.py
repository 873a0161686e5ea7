"""Mistakes in config files are named with file, line and key, all of them together; hostile files end in an error."""

import os
import re
import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError, PipelineErrors, error_lines
from workflow_scripts.study.config.files import COMMAND_LINE, MAX_BYTES, read_config, read_file
from workflow_scripts.study.config.study import load_study

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "config.yaml"
WRONG_VALUES = {  # line of the overlay -> what is said of it, besides file and line
    "study: on": "(study): on; YAML reads on as true or false; if a name is meant, quote it",
    "compute: {device: cude, devise: cpu}": "(compute.devise): 'devise'; did you mean device?",
    "shards: {shards: 010}": "010, which YAML reads as 8",
    "annotations: {years: [2020, x]}": "(annotations.years.1): 'x'",
    "download: {}": "",
    "download: {attempts: 4}": "'download', first on line 5",
    "arms:": "",
    "- {name: original, kind: original}": "",
    "- {name: revised, kind: revised, margin: much}": "(arms.1.margin): 'much'",
    "- {name: no, kind: revizd}": "(arms.2.name): no; YAML reads no as true or false; if a name is meant, quote it",
    "pretrainig: {lr: 1.0}": "(pretrainig): 'pretrainig'; did you mean pretraining?",
}
UNKNOWN_NAMES = {  # likewise, where all values can be read
    "pairs:": "",
    "- {name: p, arm: orignal, encoder: mpnet}": "(pairs.0.arm): orignal; did you mean original?",
    "- {name: q, arm: original, encoder: clip}": "(pairs.1.encoder): clip; choose from mpnet",
    "runs:": "",
    "- {method: simclr, pairs: original}": "(runs.0.pairs): original; choose from",
    "- {method: clip, pairs: p, set: {stepz: 3}}": "(runs.1.pairs): p",
    "probe_dataset: cifar11": "(probe_dataset): cifar11; did you mean cifar10?",
}


def overlay(tmp_path: Path, text: str) -> Path:
    """A file with this text."""
    path = tmp_path / "over.yaml"
    path.write_text(text)
    return path


def messages(*files: Path, **overrides: object) -> list[str]:
    """What is wrong with a study of these files."""
    try:
        load_study(read_config(files, overrides))
    except PipelineError as error:
        return [str(one) for one in error.errors]
    return []


@pytest.mark.parametrize("mistakes", [WRONG_VALUES, UNKNOWN_NAMES])
def test_mistakes_of_a_kind_are_reported_together_with_their_lines(tmp_path: Path, mistakes: dict[str, str]) -> None:
    path = overlay(tmp_path, "\n".join(mistakes))
    said = messages(BASE, path)
    for number, (line, expected) in enumerate(mistakes.items(), start=1):
        place = re.compile(rf"in {re.escape(str(path))}:{number}[ :]")
        found = [message for message in said if place.search(message) and expected in message]
        assert found or not expected, (line, said)
    assert all(f"in {path}:" in one for one in said)
    device = f"{path}:2 (compute.device): 'cude'; did you mean cuda? Choose from auto, cpu, cuda"
    assert any(device in one for one in said) == (mistakes is WRONG_VALUES)


def test_an_error_is_at_the_last_file_that_sets_the_key(tmp_path: Path) -> None:
    path = overlay(tmp_path, "pretraining:\n  steps: 100\n")
    assert messages(BASE, path) == [
        f"contradictory settings in {Path('config.yaml')}:{line_of('- {method: simclr, pairs: self')} "
        "(runs.0): warmup_steps is 5000, but the run has 100 steps; change one of them"
    ]
    path = overlay(tmp_path, "pretraining: {batch_size: 1}\n")
    (message,) = messages(BASE, path)
    assert f"{path}:1 (pretraining.batch_size)" in message
    (message,) = messages(BASE, pretraining={"batch_size": 1})
    assert f"in {COMMAND_LINE} (pretraining.batch_size): 1; " in message
    twice = "contrasts: []\nruns:\n- {method: untrained}\n- {method: untrained}\n"
    (message,) = messages(BASE, overlay(tmp_path, twice))
    assert f"{path}:4 (runs.1): untrained-none-none-resnet34-s0, as in runs.0" in message
    (message,) = messages(overlay(tmp_path, BASE.read_text().replace("study: redcaps2020", "")))
    assert "missing key" in message


def line_of(start: str) -> int:
    """Line of ``config.yaml`` that starts so."""
    return next(n for n, line in enumerate(BASE.read_text().splitlines(), 1) if line.strip().startswith(start))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1\nb: 2\n", "invalid YAML in {}:2"),
        ("a: 1\n  b: 2\n", "invalid YAML in {}:2"),
        ("a:\n\tb: 2\n", "invalid YAML in {}:2"),
        ("a: \x07\n", "invalid YAML in {}"),
        ("- 1\n", "invalid config file in {}: empty, or not a mapping at the top level"),
        ("just words\n", "not a mapping at the top level"),
        ("", "invalid config file in {}: empty"),
        ("# nothing\n", "invalid config file in {}: empty"),
        ("a: 1\n---\nb: 2\n", "second document in {}:2"),
        ("a: &x {b: *x}\n", "unknown alias in {}:1"),
        ("a: *x\n", "in {}:1"),
        ("a: !!python/object/apply:os.system ['true']\n", "unsupported tag in {}:1"),
        ("a: !!int many\n", "unsupported value in {}:1"),
        ("a: !secret x\n", "unsupported value in {}:1"),
        ("? [a, b]\n: 1\n", "invalid key in {}:1"),
        ("<<: 3\n", "invalid merge in {}:1"),
        ("a: " + "[" * 100_000, "in {}:1"),
        ("a: " + "{b: " * 900, "nesting too deep in {}:1"),
        ("".join(f"{' ' * n}a:\n" for n in range(900)), "nesting too deep in {}:51"),
    ],
)
def test_a_file_that_is_not_a_config_is_an_error(tmp_path: Path, text: str, expected: str) -> None:
    path = overlay(tmp_path, text)
    with pytest.raises(PipelineError) as mistake:
        read_file(path)
    assert expected.format(path) in str(mistake.value)


def test_keys_are_texts_and_stand_once(tmp_path: Path) -> None:
    one = read_file(overlay(tmp_path, "a: {b: 1, no: 2, b: 3}\n1: x\na: 4\n"))
    assert [str(error).split("; ")[0] for error in one.errors] == [
        f"key is not text in {tmp_path}/over.yaml:1: no, which YAML reads as bool",
        f"repeated key in {tmp_path}/over.yaml:1: 'b', first on line 1",
        f"key is not text in {tmp_path}/over.yaml:2: 1, which YAML reads as int",
        f"repeated key in {tmp_path}/over.yaml:3: 'a', first on line 1",
    ]


def test_numbers_are_bounded(tmp_path: Path) -> None:
    one = read_file(overlay(tmp_path, f"a: {2**63 - 1}\nb: [{-(2**63)}]\nc: {10**400}\n"))
    assert [str(error).split(": ")[0] for error in one.errors] == [
        f"number too large in {tmp_path}/over.yaml:{place}" for place in (2, 3)
    ]
    with pytest.raises(PipelineError, match="number too large in --config: 1000"):
        read_config([], {"evaluation": {"bootstrap": [10**23]}})


def test_a_target_after_configfile_is_named_as_such() -> None:
    with pytest.raises(PipelineError, match=r"a target, not a config file in results/.*; put targets before --config"):
        read_file("results/demo/report/index.manifest.json")


def test_unreadable_config_files_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "fifo.yaml")
    names = ["none.yaml", "latin.yaml", "large.yaml", "loop.yaml", "fifo.yaml", "."]
    with pytest.raises(PipelineErrors) as mistake:
        read_config([BASE, *(tmp_path / name for name in names)])
    assert [str(error).split(f" in {tmp_path}")[0] for error in mistake.value.errors] == [
        "missing config file",
        "config file is not UTF-8",
        *["unreadable config file"] * 4,
    ]
    assert str(mistake.value).endswith("(and 5 more errors)")


@pytest.mark.parametrize("opened", ["{{{}}}", "[{}]"])
def test_nested_yaml_aliases_need_bounded_memory(tmp_path: Path, opened: str) -> None:
    lines = ["a0: &a0 {x: 1}" if opened[0] == "{" else "a0: &a0 [lol]"]
    for n in range(1, 30):
        members = ", ".join(f"{f'k{m}: ' if opened[0] == '{' else ''}*a{n - 1}" for m in range(9))
        lines.append(f"a{n}: &a{n} {opened.format(members)}")
    path = overlay(tmp_path, "\n".join(lines))
    tracemalloc.start()
    with pytest.raises(PipelineError, match=r"too many values in .*over\.yaml:7"):
        read_file(path)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("path", sorted([BASE, *ROOT.glob("tests/config/*.yaml"), *ROOT.glob("profiles/demo/*.yaml")]))
def test_values_are_those_that_snakemake_reads(path: Path) -> None:
    assert read_file(path).data() == yaml.load(path.read_bytes(), yaml.FullLoader)


def test_anchors_merges_and_json_are_read(tmp_path: Path) -> None:
    text = "x: &x {a: 1, b: {c: 2}}\ny: {<<: *x, a: 3}\nz: {<<: [*x, {d: 4, a: 5}]}\n"
    assert read_file(overlay(tmp_path, text)).data() == yaml.safe_load(text)
    assert read_file(overlay(tmp_path, '{"a": {"b": [1, 2.5, null, true, "x"]}}')).data() == {
        "a": {"b": [1, 2.5, None, True, "x"]}
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    # An empty mapping over a value that is none replaces it here; Snakemake lets the value be.
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, min_size=1, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1, max_size=3))
def test_files_are_merged_as_snakemake_merges_them(tmp_path_factory: pytest.TempPathFactory, files: list[dict]) -> None:
    from snakemake.utils import update_config

    folder, expected = tmp_path_factory.mktemp("merge"), {}
    for number, content in enumerate(files):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(content))
        update_config(expected, yaml.safe_load(yaml.safe_dump(content)))
    assert read_config([folder / f"{number}.yaml" for number in range(len(files))]).data() == expected


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:{}[]&*!<-?|>#'\"\n ,01.~", max_size=60))
def test_any_text_parses_to_a_config_or_gives_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text)
    try:
        data = read_file(path).data()
    except PipelineError as error:
        assert f"in {path}" in str(error)
    else:
        assert isinstance(data, dict) and all(isinstance(key, str) for key in data)


def test_many_errors_end_with_a_count() -> None:
    many = PipelineErrors([PipelineError("x", "y", number, "z") for number in range(30)])
    lines = error_lines(many, 20)
    assert len(lines) == 21 and lines[0] == "30 errors; the first 20 are:" and lines[-1] == "error: x in y: 19; z"
    assert str(many) == "x in y: 0; z (and 29 more errors)"
    assert str(PipelineErrors(many.errors[:2])) == "x in y: 0; z (and 1 more error)"
