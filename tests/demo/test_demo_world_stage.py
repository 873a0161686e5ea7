"""The stage demo_world: the same bytes every time, and faults as many as the settings say."""

import io
import json
import re
import tarfile
import zipfile
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.helpers import run
from workflow_scripts.demo.world.settings import LABELS
from workflow_scripts.demo.world.vocabulary import named
from workflow_scripts.stages.demo_world import STAGE

SMALL = {
    "seed": 1,
    "images": 120,
    "faults": {
        "oversized": 3,
        "dead_link": 5,
        "placeholder": 4,
        "html_answer": 2,
        "repeated_id": 6,
        "empty_caption": 3,
    },
    "probe_train": 24,
    "probe_test": 12,
    "masks": 12,
}
FIELDS = {"image_id", "author", "subreddit", "url", "caption", "raw_caption", "score", "created_utc", "permalink"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return run(STAGE, tmp_path_factory.mktemp("one") / "results", "demo_world/world", SMALL)


@pytest.fixture(scope="module")
def rows(world):
    with zipfile.ZipFile(world.path(".annotations.zip")) as archive:
        files = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    found = []
    for name, content in files.items():
        assert content["info"]["version"] == "1.0" and set(content["info"]) >= {"start_date", "end_date", "url"}
        for row in content["annotations"]:
            assert set(row) == FIELDS
            assert re.fullmatch(rf"annotations/{row['subreddit']}_(2019|2020)\.json", name)
            found.append({**row, "file": name})
    return found


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data))).tobytes()


def members(path):
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}


def test_another_folder_and_more_workers_give_the_same_bytes(world, tmp_path):
    again = run(STAGE, tmp_path / "results", "demo_world/world", SMALL, options=["--workers", "3"])
    assert again.manifest == world.manifest
    other = run(STAGE, tmp_path / "results", "demo_world/other", {**SMALL, "seed": 2})
    assert other.manifest["files"].keys() == world.manifest["files"].keys()
    assert all(other.manifest["files"][name] != one for name, one in world.manifest["files"].items())


def test_row_counts_and_injected_faults_add_up(world, rows):
    counts = world.manifest["rows"]
    assert counts["in"] == len(rows) == 120 + 5 + 4 + 2 + 6 + 3 and counts["out"] == 120
    ids = Counter((row["file"], row["image_id"]) for row in rows)
    assert sum(count - 1 for count in ids.values()) == counts["dropped"]["repeated_id"] == 6
    assert sum(not row["caption"] for row in rows) == counts["dropped"]["empty_caption"] == 3
    assert all(re.fullmatch(r"[a-z0-9]{7}", row["image_id"]) for row in rows)
    assert len({row["image_id"] for row in rows}) == len(rows) - 6


def test_dead_links_placeholders_and_pages_match_the_settings(world, rows):
    with zipfile.ZipFile(world.path(".images.zip")) as archive:
        names, routes = set(archive.namelist()), json.loads(archive.read("routes.json"))
        pages = [name for name in names if archive.read(name).startswith(b"<!doctype html")]
        sizes = Counter(
            Image.open(io.BytesIO(archive.read(name))).size
            for name in names
            if name[-3:] in ("jpg", "png") and name not in pages
        )
    paths = {row["url"].removeprefix("http://world.invalid/") for row in rows}
    assert all(row["url"].startswith("http://world.invalid/") for row in rows)
    assert len(paths - names - set(routes["redirects"])) == 5
    assert (
        len(routes["redirects"]) == 4
        and set(routes["redirects"].values()) == {"removed.png"}
        and "removed.png" in names
    )
    assert set(routes["types"]) == set(pages) and len(pages) == 2
    assert sizes == {(48, 48): 120 - 3 + 3, (96, 96): 3, (161, 81): 1}


def test_truth_tells_what_the_posts_with_pictures_show(world, rows):
    truth = pq.read_table(world.path(".truth.parquet")).to_pylist()
    assert len(truth) == 120
    titles = {row["image_id"]: row["caption"] for row in rows if not row["caption"].endswith(", again")}
    for one in truth:
        told = {name: values for name, values in named(titles[one["image_id"]]).items() if values}
        assert set(one["title_named"]) == set(told), one
        assert set(one["title_wrong"]) == {name for name, values in told.items() if values != {one[name]}}, one
    for kind, wrong in (("truthful", {False}), ("wrong", {True})):
        assert {"concept" in one["title_wrong"] for one in truth if one["title_kind"] == kind} == wrong
    assert {len(one["title_named"]) for one in truth if one["title_kind"] in ("vague", "topical")} == {0}
    kinds = Counter(one["title_kind"] for one in truth)
    assert 0.2 < kinds["vague"] / 120 < 0.5 and set(kinds) == {"truthful", "vague", "topical", "wrong"}


def test_probe_tasks_share_pictures_but_are_each_complete(world):
    tasks = {task: members(world.path(f".probe_{task}.tar")) for task in LABELS}
    for task, found in tasks.items():
        parts = [name.split("/") for name in found]
        assert Counter(split for split, _, _ in parts) == {"train": 24, "test": 12}, task
        assert sorted(found.values()) == sorted(tasks["concept"].values())
    assert {name.split("/")[1] for name in tasks["size"]} == {"small", "large"}
    with zipfile.ZipFile(world.path(".images.zip")) as archive:
        pixels = {
            np.asarray(Image.open(io.BytesIO(archive.read(n)))).tobytes()
            for n in archive.namelist()
            if n.endswith(".png")
        }
    assert not pixels & {np.asarray(Image.open(io.BytesIO(data))).tobytes() for data in tasks["size"].values()}


def test_masks_belong_to_their_pictures(world):
    found = members(world.path(".masks.tar"))
    table = pq.read_table(io.BytesIO(found["labels.parquet"])).to_pylist()
    assert len(table) == 12 and len({row["label"] for row in table}) == 12 and len(found) == 25
    for row in table:
        mask, picture = (np.asarray(Image.open(io.BytesIO(found[row[name]]))) for name in ("mask", "file"))
        assert set(np.unique(mask)) <= {0, 1, 255} and mask.shape == picture.shape[:2]
        assert row["file"] == f"images/{row['image_id']}.png" and 0.04 < (mask == 1).mean() < 0.6


def test_chosen_scenes_and_colours_reach_every_file(tmp_path):
    chosen = {"scenes": ["sand", "night"], "colours": ["red", "blue", "white"]}
    few = run(STAGE, tmp_path / "results", "demo_world/world", {**SMALL, **chosen})
    truth = pq.read_table(few.path(".truth.parquet")).to_pydict()
    assert set(truth["scene"]) == {"sand", "night"} and set(truth["colour"]) == {"red", "blue", "white"}
    for task in ("scene", "colour"):
        assert {name.split("/")[1] for name in members(few.path(f".probe_{task}.tar"))} == set(truth[task])
    with zipfile.ZipFile(few.path(".annotations.zip")) as archive:
        words = Counter(re.findall("[a-z]+", " ".join(archive.read(name).decode() for name in archive.namelist())))
    assert {"crimson", "azure"} <= set(words)
    assert not {"orange", "golden", "emerald", "violet", "pink"} & set(words)


def test_archives_carry_no_times_or_owners(world):
    with zipfile.ZipFile(world.path(".images.zip")) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    with tarfile.open(world.path(".masks.tar")) as archive:
        assert {(one.mtime, one.uid, one.gid, one.uname) for one in archive} == {(0, 0, 0, "")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"faults": {"oversized": 121}}, "at most images"),
        ({"faults": {"dead_links": 1}}, "dead_links"),
        ({"pictures": 3}, "Extra"),
        ({"scenes": ["sand"]}, "at least 2 items"),
    ],
)
def test_invalid_settings_are_refused(change, message, tmp_path, fails):
    with fails(message):
        run(STAGE, tmp_path / "results", "demo_world/world", {**SMALL, **change})


def test_annotations_have_the_fields_of_real_redcaps(rows, shared_data):
    for path in sorted((shared_data / "redcaps_annotations").glob("*.zip"))[:1]:
        with zipfile.ZipFile(path) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".json"))
            assert set(json.loads(archive.read(name))["annotations"][0]) == FIELDS
    assert rows
