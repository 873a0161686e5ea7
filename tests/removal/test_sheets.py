"""Which label sheets and exported pages show removed rows."""

from pathlib import Path

import pytest

from tests.helpers import run
from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.files.copies import record_copy
from workflow_scripts.core.files.names import KEY_COLUMNS
from workflow_scripts.provenance.lineage import load
from workflow_scripts.removal.shown import sheets_of
from workflow_scripts.stages import source

HEADER = ",".join(KEY_COLUMNS)
K1 = {id_token("k1")}


def test_keys_of_every_study_and_of_the_folder_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results, read = tmp_path / "results", tmp_path / "data" / "labels"
    for folder, key in ((results / "one/labels", "k1"), (results / "two/labels", "k2"), (read, "k1")):
        folder.mkdir(parents=True)
        (folder / "a.html.key.csv").write_text(f"{HEADER}\ns,i1,a,{key},original,0\n")
    run(source.STAGE, results, "source/labels", {"at": "data/labels"})
    expected = sorted([str(read / "a.html"), str(results / "one/labels/a.html")])
    shown = sheets_of(results, load(results), K1, {})
    assert (shown.lines, shown.unread) == (expected, [])
    assert sheets_of(results, [], K1, {}).lines == [str(results / "one/labels/a.html")]


def test_unreadable_keys_are_reported_and_the_others_read(tmp_path: Path) -> None:
    labels = tmp_path / "one" / "labels"
    (labels / "a.html.key.csv").mkdir(parents=True)
    (labels / "b.html.key.csv").write_text(f"{HEADER}\n" + "x" * 200_000)
    (labels / "c.html.key.csv").write_text(f"{HEADER}\ns,i1,a,k1,original,0\n")
    rows = f"{HEADER}\ns,i1,a,k1,original,0\n"
    (labels / "d.html.key.csv").write_text(rows.replace(",", ";"))
    (labels / "e.html.key.csv").write_text(rows, encoding="utf-16")
    (labels / "f.html.key.csv").write_text(rows.replace("\n", '\ns,"i0,a,k0,original,0\n', 1))
    shown, noted, unread, _ = sheets_of(tmp_path, [], K1, {})
    assert shown == [*noted] == [str(labels / "c.html")]
    assert unread == [
        f"{labels / 'a.html.key.csv'}: Is a directory",
        f"{labels / 'b.html.key.csv'}: field larger than field limit (131072)",
        f"{labels / 'd.html.key.csv'}: no column is named key",
        f"{labels / 'e.html.key.csv'}: no column is named key",
        f"{labels / 'f.html.key.csv'}: unexpected end of data",
    ]


def test_sheets_in_other_folders_are_found_by_their_records(tmp_path: Path) -> None:
    for study, name, keys in (
        ("one", 'a, "b".html', ["k2", "k1"]),
        ("one", "c.html", ["k3"]),
        ("two", "é\n.html", ["k1"]),
    ):
        record_copy(tmp_path / study, tmp_path / "paper" / name, keys)
    (tmp_path / "two" / "copies" / "z.csv").write_text("copy\nx\n")
    shown, noted, unread, _ = sheets_of(tmp_path, [], K1, {})
    one = min(path for path in tmp_path.glob("one/copies/*.csv") if "k1" in path.read_text())
    two = min(path for path in tmp_path.glob("two/copies/*.csv") if "k1" in path.read_text())
    assert shown == [f'{tmp_path}/paper/a, "b".html (record: {one})', f"{tmp_path}/paper/\\xe9\\n.html (record: {two})"]
    assert list(noted.values()) == [str(one), str(two)]
    assert unread == [f"{tmp_path}/two/copies/z.csv: no column is named key"]
