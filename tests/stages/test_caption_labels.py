"""The stage ``caption_labels``, on sheets filled in by a script."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.file_bytes import parquet
from tests.helpers import Fails, make_artifact, run
from workflow_scripts.captions.arm_rows import arm_table
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.files.names import RATING_COLUMNS
from workflow_scripts.reporting.labels import Item, items_of, key_file, sheet_name
from workflow_scripts.stages import caption_labels

IMAGES = 60
SETTINGS = {"bootstrap": 100}
HEADER = ",".join(RATING_COLUMNS)


def write(path: Path, rows: list[list[object]]) -> None:
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([RATING_COLUMNS, *rows])


class Case:
    """Sixty images, two arms with random true ratings; ITM is the truth, plus 1 for generated captions."""

    def __init__(self, folder: Path) -> None:
        self.results, self.folder = folder / "results", folder / "labels"
        self.folder.mkdir()
        keys = [f"k{number:02}" for number in range(IMAGES)]
        rng = np.random.default_rng(0)
        self.truth = {arm: rng.integers(0, 4, IMAGES) for arm in ("original", "generated")}
        self.texts = {arm: [f"{arm} {number}" for number in range(IMAGES)] for arm in self.truth}
        columns = {"key": keys, "subreddit": ["a"] * IMAGES, "year": [2020] * IMAGES}
        self.arms = []
        for arm, good in self.truth.items():
            itm = pa.array(good + (arm == "generated"), pa.float32())
            table = arm_table(pa.table(columns), self.texts[arm], [arm] * IMAGES, itm, pa.nulls(IMAGES, pa.float32()))
            self.arms.append(make_artifact(self.results, "select_captions", arm, {".parquet": parquet(table)}))
        captions = {key: {arm: self.texts[arm][at] for arm in self.texts} for at, key in enumerate(keys)}
        self.items = items_of(captions, seed=0)
        self.sheet = sheet_name(self.items)
        (self.folder / "sheet.html.key.csv").write_bytes(key_file(self.items, self.sheet))

    def ratings(self, rater: str) -> list[list[object]]:
        """A truthful rater's export."""
        rows: list[list[object]] = []
        for item in self.items:
            for one in item.captions:
                good = int(self.truth[one.arms[0]][int(item.key[1:])])
                rows.append([self.sheet, rater, item.name, one.letter, good, 3 - good, int(good == 3)])
        return rows

    def run(self) -> Artifact:
        inputs, sources = {"arms": self.arms}, {"labels": self.folder}
        return run(caption_labels.STAGE, self.results, "caption_labels/labels", SETTINGS, inputs, {}, sources)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_truthful_ratings_give_perfect_agreement(case: Case) -> None:
    for rater in ("ann", "ben"):
        write(case.folder / f"{rater}.csv", case.ratings(rater))
    made = case.run()
    found = json.loads(made.path(".json").read_bytes())
    assert found["agreement"] == {
        "raters": 2, "faithful": {"alpha": 1.0, "n": 2 * IMAGES}, "specific": {"alpha": 1.0, "n": 2 * IMAGES}
    }  # fmt: skip
    assert found["arms"]["original"]["faithful"]["value"] == pytest.approx(case.truth["original"].mean())
    old, new = (case.truth[arm] for arm in ("original", "generated"))
    scores, good = np.append(old, new + 1), np.append(old, new) >= 2
    ordered = np.mean([(a > b) + (a == b) / 2 for a in scores[good] for b in scores[~good]])
    assert found["scores"]["itm"]["auc"]["value"] == pytest.approx(ordered)
    assert found["scores"]["itm"]["margin"]["n"] == int((old != new).sum())
    assert 0 < found["scores"]["itm"]["margin"]["value"] < 2 and found["scores"]["itm"]["margin"]["errors"] == 0
    assert found["scores"]["itc"] == {"auc": {"n": 0}, "margin": {"n": 0}}
    assert len(pq.read_table(made.path(".parquet"))) == 2 * IMAGES
    curve = pq.read_table(made.path(".reliability.parquet"))
    assert set(curve["score"].to_pylist()) == {"itm"} and sum(curve["n"].to_pylist()) == 2 * IMAGES
    assert made.rows == {"in": 4 * IMAGES, "out": 4 * IMAGES, "dropped": {}}


def test_raters_who_disagree_on_everything_and_a_single_class(case: Case) -> None:
    rows = case.ratings("ann")
    for rater, value in (("ann", 0), ("ben", 3)):
        write(case.folder / f"{rater}.csv", [[row[0], rater, *row[2:4], value, "", ""] for row in rows])
    found = json.loads(case.run().path(".json").read_bytes())
    assert found["agreement"]["faithful"]["alpha"] < 0
    assert found["scores"]["itm"]["auc"] == {"n": 2 * IMAGES}  # all means are 1.5, so none is faithful
    assert found["scores"]["itm"]["margin"] == {"n": 0}


def test_rows_that_cannot_be_used_are_counted(case: Case) -> None:
    good = case.ratings("ann")
    odd = [
        ["other", *good[0][1:]],
        [case.sheet, "ann", "i99", *good[0][3:]],
        [*good[0][:4], "7", "", ""],
        [*good[0][:4], "", "", ""],
        [*good[0][:6], "yes"],
        good[1],
    ]
    write(case.folder / "ann.csv", [*good, *odd])
    changed = pq.read_table(Artifact(case.arms[0]).path(".parquet"))
    texts = ["another caption", *case.texts["original"][1:]]
    changed = changed.set_column(changed.column_names.index("caption"), "caption", pa.array(texts))
    case.arms[0] = make_artifact(case.results, "select_captions", "original", {".parquet": parquet(changed)})
    made = case.run()
    assert made.rows["in"] == 2 * IMAGES + len(odd)
    expected = {"unknown_sheet": 1, "unknown_caption": 1, "out_of_range": 2, "unrated": 1, "repeated": 1}
    first_is_original = good[0][3] == next(one.letter for one in case.items[0].captions if one.arms == ("original",))
    assert made.rows["dropped"] == {**expected, "caption_changed": 1} or not first_is_original


def test_images_that_the_study_does_not_have_are_counted(case: Case) -> None:
    others = [replace(item, key=f"other-{item.key}") for item in case.items]
    case.items, case.sheet = [*case.items[:10], *others[10:]], "mixed"
    (case.folder / "sheet.html.key.csv").write_bytes(key_file(case.items, case.sheet))
    rows = [[case.sheet, "ann", item.name, one.letter, 2, 2, 0] for item in case.items for one in item.captions]
    write(case.folder / "ann.csv", rows)
    made = case.run()
    assert made.rows == {"in": 2 * IMAGES, "out": 20, "dropped": {"caption_changed": 2 * IMAGES - 20}}
    found = json.loads(made.path(".json").read_bytes())
    assert found["scores"]["itm"] == {"auc": {"n": 20}, "margin": {"n": 0}}  # all are faithful, none is better


def test_ratings_count_for_the_arms_that_are_read(case: Case) -> None:
    case.arms = case.arms[:1]
    write(case.folder / "ann.csv", case.ratings("ann"))
    made = case.run()
    assert made.rows == {"in": 2 * IMAGES, "out": IMAGES, "dropped": {"unknown_arm": IMAGES}}
    assert set(pq.read_table(made.path(".parquet"))["arm"].to_pylist()) == {"original"}


def test_a_caption_shared_with_a_deleted_arm_is_kept(case: Case) -> None:
    shared = [
        Item(item.name, item.key, [replace(one, arms=(*one.arms, "gone")) for one in item.captions])
        for item in case.items
    ]
    case.items, case.sheet = shared, sheet_name(shared)
    (case.folder / "sheet.html.key.csv").write_bytes(key_file(shared, case.sheet))
    write(case.folder / "ann.csv", case.ratings("ann"))
    made = case.run()
    assert made.rows == {"in": 2 * IMAGES, "out": 2 * IMAGES, "dropped": {}}
    assert set(pq.read_table(made.path(".parquet"))["arm"].to_pylist()) == {"original", "generated"}


def test_a_rater_of_the_same_captions_on_two_sheets_counts_once(case: Case) -> None:
    again = [Item(f"j{item.name}", item.key, item.captions) for item in case.items[:10]]
    second = sheet_name(again)
    (case.folder / "second.html.key.csv").write_bytes(key_file(again, second))
    rows = case.ratings("Jos\xe9")
    write(case.folder / "one.csv", rows)
    write(case.folder / "two.CSV", [[second, " Jose\u0301 ", f"j{row[2]}", *row[3:]] for row in rows[:20]])
    made = case.run()
    assert made.rows == {"in": 2 * IMAGES + 20, "out": 2 * IMAGES, "dropped": {"repeated": 20}}
    assert set(pq.read_table(made.path(".parquet"))["raters"].to_pylist()) == {1}
    assert json.loads(made.path(".json").read_bytes())["agreement"]["raters"] == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sheet.html.key.csv", None, "no ratings"),
        ("ann.csv", None, "no ratings"),
        ("ann.csv", b"a,b\n1,2\n", "missing or repeated column"),
        ("ann.csv", b"x" * 200_000, "unreadable ratings"),
        ("ann.csv", b"\xff\xfe", "unreadable ratings"),
        ("ann.csv", f"{HEADER}\ns,,i1,a,3,,\n".encode(), "no rater"),
        ("ann.csv", f"{HEADER.replace(',', ';')}\ns;ann;i1;a;3;;\n".encode(), "missing or repeated column"),
        ("ann.csv", f"{HEADER},faithful\ns,ann,i1,a,3,,,0\n".encode(), "missing or repeated column"),
        ("ann.csv", f'{HEADER}\ns,"ann,i1,a,3,,\ns,ann,i1,b,3,,\n'.encode(), "unreadable ratings"),
        ("ann.csv", f"{HEADER}\ns,ann,i1,a,3\n".encode(), "damaged row"),
        ("ann.csv", f"{HEADER}\ns,ann,i1,a,3,,,\n".encode(), "damaged row"),
    ],
)
def test_missing_or_damaged_rating_files_are_an_error(
    case: Case, name: str, text: bytes | None, message: str, fails: Fails
) -> None:
    write(case.folder / "ann.csv", case.ratings("ann"))
    (case.folder / name).unlink()
    if text is not None:
        (case.folder / name).write_bytes(text)
    with fails(f"error: {message}"):
        case.run()
