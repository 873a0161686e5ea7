import json
from pathlib import Path

import pytest

from tests.provenance.golden import check_golden
from tests.provenance.hand_made import fake_hash, whole_study
from tests.provenance.why_page import CELLS, FILES, QUESTIONS, page
from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.code_equivalence import accept
from workflow_scripts.core.files.jsonio import pretty

ZIP = fake_hash("the zip")
WHOLE = ("attempts", "pairs", "cell-two-metrics", "cell-contrast")  # answers that are compared line by line


def ask(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main(["why", *(str(one) for one in argv)]) == 0
    return capsys.readouterr().out


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return whole_study(tmp_path / "results")


@pytest.mark.parametrize("kind", FILES)
def test_the_chain_behind_each_kind_of_file_ends_at_the_zip(
    kind: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ask(capsys, study / FILES[kind])
    assert text.splitlines()[-1] == f"annotations (source/annotations): sha256 {ZIP}"


@pytest.mark.parametrize("kind", CELLS)
def test_the_chain_behind_a_row_of_the_summary(kind: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, *columns = CELLS[kind]
    text = ask(capsys, study / "summary" / file, *columns)
    assert text.splitlines()[-1] == f"annotations (source/annotations): sha256 {ZIP}"
    for stage in ("pretrain", "pair_table", "select_captions", "caption_table", "source/annotations"):
        assert f" {stage}" in text


@pytest.mark.parametrize("kind", WHOLE)
def test_answers_match_the_golden_files(kind: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, *columns = QUESTIONS[kind]
    check_golden(f"why-{kind}", ask(capsys, study / file, *columns))


def test_the_page_contains_the_answer_to_each_question(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page(study)
    assert text.count("\n## `why results/study/") == len(QUESTIONS)
    assert all(ask(capsys, study / file, *columns) in text for file, *columns in QUESTIONS.values())


def test_json_holds_every_artifact_and_edge(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(ask(capsys, study / "pair_table" / "revised.parquet", "--json"))
    assert found["artifact"] == "pair_table/revised"
    assert found["annotations"] == [{"artifact": "source/annotations", "file": None, "sha256": ZIP}]
    shard = found["artifacts"]["download/00000"]
    assert shard["rows"] == {"in": 200, "out": 188, "dropped": {"http_404": 9, "placeholder": 3}}
    assert shard["settings"] == {"max_side": 512}, "settings outside the key do not matter"
    edge = found["artifacts"]["pair_table/revised"]["inputs"]
    vectors = found["artifacts"]["embed_captions/revised.minilm"]["manifest_sha256"]
    assert edge == [
        {"name": "vectors", "artifact": "embed_captions/revised.minilm", "recorded": vectors, "today": vectors}
    ]
    assert len(found["artifacts"]) == 15


def test_a_changed_input_is_reported(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study / "shard_plan" / f"plan{MANIFEST}"
    path.write_bytes(pretty({**json.loads(path.read_bytes()), "rows": {}}))
    text = ask(capsys, study / "download" / "00000.tar")
    assert f"! shard_plan/plan{MANIFEST} has changed; sha256 " in text


def test_a_missing_input_ends_the_chain_and_is_reported(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study / "annotations" / f"rows{MANIFEST}").unlink()
    text = ask(capsys, study / "download" / "00000.tar")
    assert "annotations: no such artifact now" in text
    assert f"! annotations/rows{MANIFEST} is missing; sha256 " in text
    assert text.splitlines()[-1] == "annotations: not among its inputs"


def test_a_file_in_the_cache_is_found_by_its_key(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = json.loads((study / "pair_table" / f"revised{RUN}").read_bytes())["key"]
    stored = study.parent / ".cache" / "pair_table" / key / "files" / "_.parquet"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"")
    assert ask(capsys, stored).startswith("pair_table/revised.parquet  sha256 ")


def test_an_accepted_edit_is_shown_with_its_reason(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"stage": "pretrain", "code": fake_hash("new"), "counts_as": fake_hash("code of pretrain")}
    entry |= {"reason": "a log line", "when": "2026-03-05T10:00:00.000+00:00"}
    accept(study.parent, entry)
    text = ask(capsys, study / "pretrain" / "simclr-revised-crop-s0" / "last.safetensors")
    wanted = f"accepted 2026-03-05 10:00:00 UTC: {fake_hash('new')[:10]} counts as this code; a log line"
    assert text.count(wanted) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["pair_table/none.parquet"], "no such file in "),
        (["pair_table/revised.parquet", "run=x"], "not a table of the summary in "),
        (["summary/summary.parquet", "run=x"], "no matching row in "),
        (["summary/summary.parquet", "seed=1"], "unknown column in "),
    ],
)
def test_unanswerable_questions_are_an_error(
    argv: list[str], message: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["why", str(study / argv[0]), *argv[1:]]) == 1
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_a_contrast_is_found_by_its_name_on_the_page(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = study / "summary" / "summary.contrasts.parquet"
    by_table, by_page = (ask(capsys, table, f"contrast=revised {sign} original") for sign in "-\N{MINUS SIGN}")
    assert by_page == by_table


def test_a_file_that_no_manifest_lists_is_an_error(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stray = study / "pair_table" / "revised.old.parquet"
    stray.write_bytes(b"x")
    assert main(["why", str(stray)]) == 1
    assert "no artifact in " in capsys.readouterr().err
