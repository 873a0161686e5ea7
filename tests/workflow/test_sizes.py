"""Studies of one's own photos end with a report at any number of images, classes and missing captions."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.forkserver.environment import ForkServers
from tests.guides.photos import table, write
from tests.guides.test_tutorial import CONFIG, TEXT
from tests.workflow.checkout import Checkout, give_to_user

SMALL: dict[str, Any] = {"steps": 2, "warmup_steps": 1, "checkpoint_every": 2, "log_every": 1}
PROBE: dict[str, Any] = {"costs": [1.0], "fine_points": 1, "max_iter": 20, "resamples": 100}


def small(text: str, missing: int, photos: int, classes: int) -> dict[str, Any]:
    """The tutorial's config with trainings of two steps, of those that have a pair of images to train on."""
    config: dict[str, Any] = yaml.safe_load(text)
    config["shards"]["shards"] = -(-photos // 1_000)
    config["pretraining"] |= SMALL | {"batch_size": max(2, min(photos, 16))}
    config["runs"] = [{**run, "seeds": [0]} for run in config["runs"]]
    config["evaluation"]["linear_probe"] = PROBE
    config["evaluation"]["few_shot"] = {"episodes": 10, "ways": max(2, classes), "shots": 2, "queries": 2}
    config["contrasts"][0]["primary"] = False
    config["bootstrap"] = 100
    if missing:
        config["arms"][1]["max_missing_share"] = 1.0
    left = {"titles": photos, "self": photos, "described": photos - missing, "none": 2}
    if photos == missing:
        config["pairs"] = config["pairs"][:1]
    config["runs"] = [run for run in config["runs"] if left[run["pairs"]] > 1]
    if left["described"] < 2:
        config["contrasts"] = []
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    ("photos", "classes", "missing"),
    [(1, 1, 0), (2, 2, 1), (96, 3, 0), (400, 1, 400), (700, 2, 1), (1_500, 3, 0)],
)
def test_a_study_ends_with_a_report(
    photos: int, classes: int, missing: int, open_folder: Path, servers: ForkServers
) -> None:
    checkout = Checkout(open_folder / "sizes")
    checkout.snakemake = servers.snakemake
    write(checkout.folder / "data", photos, classes)
    described = checkout.folder / "data/described.csv"
    rows = list(csv.reader(described.open(newline="")))
    table(described, ("key", "caption"), [(row[0], row[1]) for row in rows[1 + missing :]])
    (checkout.folder / CONFIG).write_text(yaml.safe_dump(small(TEXT, missing, photos, classes)))
    give_to_user(checkout.folder)
    printed = checkout.finish("--profile", "profiles/local", "--configfile", CONFIG)
    assert (checkout.folder / "results/my-captions/report/index.html").stat().st_size > 10_000, printed[-2_000:]
