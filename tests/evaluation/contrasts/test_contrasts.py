from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.evaluation.study import average, episodes, few_shot, hits, probe, run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.contrasts.contrasts import contrast_rows, matched
from workflow_scripts.evaluation.contrasts.settings import STANDARD, Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import read_scores

RESAMPLES = 2000
RUNS = [
    *[run("simclr", "original", "crop", seed) for seed in range(3)],
    *[run("simclr", "revised", "crop", seed) for seed in (1, 2, 0)],
    run("simclr", "self", "simclr", 0),
    run("simclr", "shuffled", "crop", 0),
    run("simsiam", "original", "crop", 0),
    run("simsiam", "revised", "crop", 0),
    run("untrained", "none", "none", 0),
]


def rows_of(
    results: Path, runs: list[dict[str, Any]], contrasts: tuple[Contrast, ...] = STANDARD
) -> list[dict[str, Any]]:
    given = {
        "probe": [Artifact(path) for one in runs for step in one["steps"] for path in probe(results, one, step)],
        "few_shot": [Artifact(few_shot(results, one, step)) for one in runs for step in one["steps"]],
    }
    settings = [SummaryRun.model_validate(one) for one in runs]
    return [row for row, _ in contrast_rows(read_scores(given), settings, contrasts, RESAMPLES)]


def picked(rows: list[dict[str, Any]], **wanted: object) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def arm(pairs: str, name: str, method: str = "simclr") -> list[np.ndarray]:
    mine = [one for one in RUNS if (one["method"], one["pairs"]) == (method, pairs)]
    return [hits(one, "last", name).astype(float) for one in sorted(mine, key=lambda one: int(one["seed"]))]


def test_names_levels_and_augmentation(results: Path) -> None:
    rows = rows_of(results, RUNS)
    kinds = {(row["contrast"], row["method"], row["augmentation"]) for row in rows}
    assert kinds == {
        ("language - self", "simclr", "crop vs simclr"),
        ("revised - original", "simclr", "crop"),
        ("revised - original", "simsiam", "crop"),
        ("original - shuffled", "simclr", "crop"),
    }
    assert {row["level"] for row in rows} == {"image", "seed"}


@pytest.mark.parametrize("name", ["pets", "dtd"])
def test_image_level_averages_seeds_per_item_and_pairs(results: Path, name: str) -> None:
    (row,) = picked(
        rows_of(results, RUNS), contrast="revised - original", method="simclr", dataset=name, level="image",
        metric=f"linear_probe.sklearn.{'mean_per_class' if name == 'pets' else 'accuracy'}",
    )  # fmt: skip
    difference = np.mean(arm("revised", name), axis=0) - np.mean(arm("original", name), axis=0)
    assert row["difference"] == pytest.approx(average(difference, name))
    assert row["n"] == len(difference)
    rng = np.random.default_rng(5)
    items = [rng.integers(len(difference), size=len(difference)) for _ in range(4000)]
    if name == "dtd":
        slow = [difference[one].mean() for one in items]
        assert (row["low"], row["high"]) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.04)
    assert row["low"] < row["difference"] < row["high"]


def test_seed_level_is_a_paired_t_test_from_three_seeds_on(results: Path) -> None:
    rows = picked(rows_of(results, RUNS), contrast="revised - original", level="seed", dataset="dtd")
    first, second = ([one.mean() for one in arm(pairs, "dtd")] for pairs in ("revised", "original"))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    three, one = picked(rows, method="simclr")[0], picked(rows, method="simsiam")[0]
    assert (three["low"], three["high"]) == pytest.approx((expected.low, expected.high))
    assert three["n"] == 3 and one["n"] == 1
    assert one["low"] is None and one["high"] is None and one["difference"] is not None


def test_only_common_seeds_count(results: Path) -> None:
    rows = picked(
        rows_of(results, RUNS), contrast="original - shuffled", dataset="dtd", metric="linear_probe.sklearn.accuracy"
    )
    expected = arm("original", "dtd")[0].mean() - arm("shuffled", "dtd")[0].mean()
    assert [row["difference"] for row in rows] == pytest.approx([expected, expected])


def test_arms_without_a_common_seed_have_no_seed_level(results: Path) -> None:
    runs = [run("simclr", "original", "crop", 0), run("simclr", "revised", "crop", 7)]
    rows = rows_of(results, runs)
    assert rows and {row["level"] for row in rows} == {"image"}


def test_episodes_are_paired(results: Path) -> None:
    row, seed = picked(
        rows_of(results, RUNS), contrast="revised - original", method="simsiam", metric="few_shot.accuracy"
    )
    a, b = (episodes(run("simsiam", pairs, "crop", 0)) for pairs in ("revised", "original"))
    assert row["difference"] == pytest.approx(np.mean(a - b)) == seed["difference"]
    assert row["n"] == 8


def test_mean_over_sets(results: Path) -> None:
    rows = rows_of(results, RUNS)
    mean, seed = picked(rows, contrast="revised - original", method="simclr", dataset="mean")
    parts = [r for r in picked(rows, contrast="revised - original", method="simclr", level="image")
             if r["metric"].startswith("linear_probe") and r["dataset"] != "mean"]  # fmt: skip
    assert mean["difference"] == pytest.approx(np.mean([row["difference"] for row in parts]))
    # Sets are resampled apart: widths add as squares.
    width = np.sqrt(sum((row["high"] - row["low"]) ** 2 for row in parts)) / 2
    assert mean["high"] - mean["low"] == pytest.approx(width, rel=0.15)
    assert mean["n"] == 24 and seed["n"] == 3 and seed["low"] < seed["difference"] < seed["high"]


def test_steps_and_backbones_are_kept_apart_and_named(results: Path) -> None:
    runs = [run("simclr", pairs, "crop", 0, ("last", "best")) for pairs in ("original", "revised")]
    assert {row["step"] for row in rows_of(results, runs)} == {"last", "best"}
    runs[0]["backbone"], runs[1]["backbone"] = "resnet18", "resnet34"
    assert rows_of(results, runs) == []


def test_tags_are_kept_apart_and_named(results: Path) -> None:
    runs = [
        run("simclr", pairs, "crop", 0) | {"run": f"{pairs}-{tag}", "tag": tag}
        for pairs in ("original", "revised")
        for tag in ("", "short")
    ]
    rows = picked(rows_of(results, runs), dataset="dtd", level="image", metric="linear_probe.sklearn.accuracy")
    expected = {tag: hits(runs[at + 2], "last", "dtd").mean() - hits(runs[at], "last", "dtd").mean()
                for at, tag in enumerate(("", "short"))}  # fmt: skip
    assert {row["tag"]: row["difference"] for row in rows} == pytest.approx(expected)


def test_own_contrasts(results: Path) -> None:
    own = Contrast(name="revised - shuffled", minuend="revised", subtrahend="shuffled")
    assert {row["contrast"] for row in rows_of(results, RUNS, (own,))} == {"revised - shuffled"}


def test_the_same_augmentation_is_preferred() -> None:
    def arm_of(*augmentations: str) -> list[SummaryRun]:
        return [SummaryRun.model_validate(run("simclr", "x", one, 0)) for one in augmentations]

    def labels(first: list[SummaryRun], second: list[SummaryRun]) -> list[str]:
        return [label for label, _ in matched(first, second)]

    assert labels(arm_of("crop", "simclr"), arm_of("simclr", "crop")) == ["crop", "simclr"]
    assert labels(arm_of("crop", "simclr"), arm_of("simclr")) == ["simclr"]
    assert labels(arm_of("crop"), arm_of("simclr")) == ["crop vs simclr"]
    assert labels(arm_of("crop"), []) == []
