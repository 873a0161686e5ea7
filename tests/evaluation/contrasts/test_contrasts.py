"""The table of contrasts, each number against an independent path."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.evaluation import study
from tests.evaluation.study import LABELS, average, episodes, few_shot, hits, probe, queries, run, saliency
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.contrasts.contrasts import contrast_rows
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun, Term
from workflow_scripts.evaluation.contrasts.standard import standard
from workflow_scripts.evaluation.contrasts.study_scores import read_scores
from workflow_scripts.stats.random_effects import two_way

REVISED = Contrast(name="revised - original", minuend="revised", subtrahend="original")
RUNS = [
    *[run("simclr", "original", "crop", seed) for seed in range(3)],
    *[run("simclr", "revised", "crop", seed) for seed in (1, 2, 0)],
    run("simsiam", "original", "crop", 0),
    run("simsiam", "revised", "crop", 0),
    run("untrained", "none", "none", 0),
]
ACCURACY = "linear_probe.sklearn.accuracy"


def rows_of(results: Path, runs: list[dict[str, Any]], *contrasts: Contrast) -> list[dict[str, Any]]:
    checkpoints = [(one, step) for one in runs for step in one["steps"]]
    given = {
        "probe": [Artifact(path) for one, step in checkpoints for path in probe(results, one, step)],
        "few_shot": [Artifact(few_shot(results, one, step)) for one, step in checkpoints],
        "saliency": [Artifact(saliency(results, one, step)) for one, step in checkpoints],
    }
    settings = [SummaryRun.model_validate(one) for one in runs]
    return [row for row, _ in contrast_rows(read_scores(given, ()), settings, contrasts or (REVISED,), 2000)]


def picked(rows: list[dict[str, Any]], **wanted: object) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def arm(pairs: str, name: str, method: str = "simclr") -> list[np.ndarray]:
    """Hits of each seed, in ascending order."""
    mine = [one for one in RUNS if (one["method"], one["pairs"]) == (method, pairs)]
    return [hits(one, "last", name).astype(float) for one in sorted(mine, key=lambda one: int(one["seed"]))]


def by_class(pairs: str, name: str) -> np.ndarray:
    labels = LABELS[name]
    return np.array([[one[labels == label].mean() for label in np.unique(labels)] for one in arm(pairs, name)])


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return rows_of(tmp_path_factory.mktemp("contrasts") / "results", RUNS)


def test_contrasts_have_the_expected_metrics_and_levels(rows: list[dict[str, Any]]) -> None:
    found = {(row["metric"].split(".")[0], row["level"]) for row in rows}
    assert found == {
        *[
            (metric, level)
            for metric in ("linear_probe", "few_shot", "saliency")
            for level in ("image", "seed", "joint")
        ],
        ("few_shot", "episode"),
    }
    assert {row["contrast"] for row in rows} == {"revised - original"}
    assert {(row["method"], row["augmentation"], row["step"], row["tag"]) for row in rows} == {
        ("simclr", "crop", "last", ""),
        ("simsiam", "crop", "last", ""),
        ("simclr and simsiam", "crop", "last", ""),
    }


@pytest.mark.parametrize("name", ["pets", "dtd"])
def test_image_level_averages_seeds_and_resamples_classes_then_images(rows: list[dict[str, Any]], name: str) -> None:
    metric = f"linear_probe.sklearn.{'mean_per_class' if name == 'pets' else 'accuracy'}"
    (row,) = picked(rows, method="simclr", dataset=name, level="image", metric=metric)
    difference = np.mean(arm("revised", name), axis=0) - np.mean(arm("original", name), axis=0)
    assert row["difference"] == pytest.approx(average(difference, name))
    assert row["n"] == len(difference)
    rng, labels, slow = np.random.default_rng(5), LABELS[name], []
    groups = [difference[labels == one] for one in np.unique(labels)]
    for _ in range(4000):
        drawn = [rng.choice(groups[at], len(groups[at])) for at in rng.integers(len(groups), size=len(groups))]
        slow.append(np.mean([one.mean() for one in drawn] if name == "pets" else np.concatenate(drawn)))
    assert (row["low"], row["high"]) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.05)


@pytest.mark.parametrize("name", ["pets", "dtd"])
def test_the_seed_level_equals_the_paired_t_test_of_scipy(rows: list[dict[str, Any]], name: str) -> None:
    mine = picked(rows, level="seed", dataset=name, metric=f"linear_probe.sklearn.{METRIC[name]}")
    three, one = (picked(mine, method=method)[0] for method in ("simclr", "simsiam"))
    first, second = ([average(one, name) for one in arm(pairs, name)] for pairs in ("revised", "original"))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (three["low"], three["high"]) == pytest.approx((expected.low, expected.high))
    assert three["n"] == 3 and one["n"] == 1
    assert one["low"] is None and one["high"] is None and one["difference"] is not None


METRIC = {"pets": "mean_per_class", "dtd": "accuracy"}


def test_joint_level_is_the_random_effects_interval_of_class_means(rows: list[dict[str, Any]]) -> None:
    for name, metric in METRIC.items():
        (row,) = picked(rows, method="simclr", dataset=name, level="joint", metric=f"linear_probe.sklearn.{metric}")
        sizes = np.unique(LABELS[name], return_counts=True)[1]
        shares = np.full(len(sizes), 1 / len(sizes)) if name == "pets" else sizes / sizes.sum()
        effect = two_way([by_class("revised", name) - by_class("original", name)], [shares])
        assert (row["low"], row["high"]) == pytest.approx(effect.interval(0.95)) and row["n"] == 3
        assert row["p"] == pytest.approx(effect.p_value())
        assert row["difference"] == pytest.approx(effect.mean)


def test_a_mean_over_sets_has_a_separate_joint_interval(rows: list[dict[str, Any]]) -> None:
    (row,) = picked(rows, method="simclr", dataset="mean", level="joint", metric="linear_probe.sklearn.mixed")
    tables = [by_class("revised", name) - by_class("original", name) for name in METRIC]
    effect = two_way(tables, [np.full(3, 1 / 3), np.full(2, 1 / 2)])
    assert (row["low"], row["high"]) == pytest.approx(effect.interval(0.95))
    image, seed = (picked(rows, method="simclr", dataset="mean", level=level)[0] for level in ("image", "seed"))
    assert image["n"] == 24 and seed["n"] == 3 and image["difference"] == pytest.approx(row["difference"])


def test_few_shot_contrasts_have_episode_and_image_levels(rows: list[dict[str, Any]]) -> None:
    mine = {row["level"]: row for row in picked(rows, method="simsiam", metric="few_shot.accuracy")}
    a, b = (episodes(run("simsiam", pairs, "crop", 0)) for pairs in ("revised", "original"))
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (mine["episode"]["low"], mine["episode"]["high"]) == pytest.approx((expected.low, expected.high))
    for level, n in (("episode", 8), ("image", 10), ("seed", 1), ("joint", 1)):
        assert mine[level]["difference"] == pytest.approx(np.mean(a - b), abs=1e-6) and mine[level]["n"] == n
    labels, shown, _ = map(np.array, queries(run("simsiam", "revised", "crop", 0)))
    correct = [
        [np.array(queries(run("simclr", pairs, "crop", seed))[2]) for seed in range(3)]
        for pairs in ("revised", "original")
    ]
    table = np.array(
        [
            [np.sum((c - d)[labels == one]) / shown[labels == one].sum() for one in range(3)]
            for c, d in zip(*correct, strict=True)
        ]
    )
    effect = two_way([table], [np.bincount(labels, shown) / shown.sum()])
    (joint,) = picked(rows, method="simclr", metric="few_shot.accuracy", level="joint")
    assert (joint["low"], joint["high"]) == pytest.approx(effect.interval(0.95), abs=1e-6)


def test_fewer_than_three_seeds_have_no_joint_interval_and_claim_nothing(
    rows: list[dict[str, Any]], results: Path
) -> None:
    two = [row for row in RUNS if row["method"] == "simclr" and row["seed"] < 2]
    for row in [*picked(rows, method="simsiam", level="joint"), *picked(rows_of(results, two), level="joint")]:
        assert row["low"] is None and row["high"] is None and row.get("p") is None
        assert row["verdict"] == ("inconclusive" if row["primary"] else "exploratory")
        assert row["n"] < 3 and "three seeds" in row["reason"]


def test_exploratory_p_values_are_adjusted_within_metric_set_and_step(results: Path) -> None:
    runs = [run("simclr", pairs, "crop", seed) for pairs in ("a", "b", "c", "d") for seed in range(4)]
    three = [Contrast(name=one, minuend=one, subtrahend="d") for one in ("a", "b", "c")]
    found = rows_of(results, runs, *three)
    family = picked(found, level="joint", dataset="dtd", metric=ACCURACY)
    raw, adjusted = (np.array([row[name] for row in family]) for name in ("p", "p_adjusted"))
    order = np.argsort(raw)
    by_hand = np.minimum(1, np.maximum.accumulate(raw[order] * [3, 2, 1]))
    assert adjusted[order] == pytest.approx(by_hand)
    (alone,) = picked(rows_of(results, runs, three[0]), level="joint", dataset="dtd", metric=ACCURACY)
    assert alone["p"] == alone["p_adjusted"] == pytest.approx(family[0]["p"])
    assert alone["detectable"] < family[0]["detectable"]


def test_only_common_seeds_count(results: Path) -> None:
    runs = [run("simclr", "original", "crop", seed) for seed in range(3)] + [run("simclr", "revised", "crop", 0)]
    expected = hits(runs[3], "last", "dtd").mean() - hits(runs[0], "last", "dtd").mean()
    found = picked(rows_of(results, runs), dataset="dtd", metric=ACCURACY)
    assert [row["difference"] for row in found] == pytest.approx([expected] * 3)
    (joint,) = picked(found, level="joint")
    assert (joint["plus"], joint["minus"]) == (f"{runs[3]['run']}.last", f"{runs[0]['run']}.last")


@pytest.mark.parametrize(("right", "difference"), [({"revised"}, 1), ({"revised", "original"}, 0)])
def test_the_same_difference_everywhere_claims_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch, right: set[str], difference: float
) -> None:
    """Each side always right or always wrong: nothing is known of other images, classes and seeds."""

    def all_or_none(run: dict[str, Any], step: str, name: str) -> np.ndarray:
        return np.full(len(LABELS[name]), run["pairs"] in right)

    monkeypatch.setattr(study, "hits", all_or_none)
    runs = [run("simclr", pairs, "crop", seed) for pairs in ("original", "revised") for seed in range(3)]
    found = [row for row in rows_of(results, runs) if row["level"] == "joint" and row["metric"].startswith("linear")]
    assert len(found) == 3
    for row in found:
        assert row["difference"] == pytest.approx(difference) and row["low"] is None and row.get("p") is None
        assert row["verdict"] == ("inconclusive" if row["dataset"] == "mean" else "exploratory")
        assert "differences that vary" in row["reason"]


def test_a_set_of_two_classes_has_an_interval_but_no_verdict(rows: list[dict[str, Any]]) -> None:
    (row,) = picked(rows, method="simclr", dataset="dtd", level="joint", metric=ACCURACY)
    assert row["low"] is not None and row["p"] is not None
    assert (row["verdict"], row["reason"]) == ("exploratory", "only 2 classes: a verdict needs 4")
    (mean,) = picked(rows, method="simclr", dataset="mean", level="joint", metric="linear_probe.sklearn.mixed")
    assert "classes" not in mean["reason"]


def test_arms_without_a_common_seed_have_no_seed_level(results: Path) -> None:
    runs = [run("simclr", "original", "crop", 0), run("simclr", "revised", "crop", 7)]
    found = rows_of(results, runs)
    assert found and {row["level"] for row in found} == {"image", "episode", "joint"}
    joint = picked(found, level="joint")
    assert {(row["n"], row["low"], row["verdict"]) for row in joint if row["primary"]} == {(0, None, "inconclusive")}
    assert {(row["n"], row["low"], row["verdict"]) for row in joint if not row["primary"]} == {(0, None, "exploratory")}


def test_a_contrast_is_the_weighted_sum_of_its_terms(results: Path) -> None:
    cells = [("a", "crop", 0.5), ("b", "crop", -0.5), ("a", "simclr", 0.5), ("b", "simclr", -0.5)]
    runs = [run("simclr", pairs, augmentation, seed) for pairs, augmentation, _ in cells for seed in range(3)]
    terms = tuple(Term(weight=w, pairs=pairs, augmentation=one) for pairs, one, w in cells)
    found = rows_of(results, runs, Contrast(name="effect", terms=terms, primary=True))
    accuracy = {
        (pairs, one): [hits(run("simclr", pairs, one, s), "last", "dtd").mean() for s in range(3)]
        for pairs, one, _ in cells
    }
    by_seed = np.sum([w * np.array(accuracy[pairs, one]) for pairs, one, w in cells], axis=0)
    (row,) = picked(found, level="seed", dataset="dtd", metric=ACCURACY)
    assert row["difference"] == pytest.approx(by_seed.mean()) and row["augmentation"] == "crop and simclr"
    low, high = stats.ttest_1samp(by_seed, 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_unequal_runs_are_computed_and_marked(results: Path) -> None:
    def trained(pairs: str, steps: int) -> list[dict[str, Any]]:
        budget = {"batch_size": 8, "trained_steps": steps, "views_per_pair": 2}
        return [{**run("simclr", pairs, "crop", seed), **budget} for seed in range(3)]

    for longer, unequal in ((100, ""), (200, "budget")):
        found = picked(rows_of(results, [*trained("original", 100), *trained("revised", longer)]), level="joint")
        assert {row["unequal"] for row in found} == {unequal}
        assert {row["verdict"] == "not comparable" for row in found} == {bool(unequal)}
        assert all(row["low"] is not None for row in found)


def test_untrained_networks_are_paired_with_the_trainings_of_their_seed(results: Path) -> None:
    trained = [run("simclr", "revised", "crop", seed, ["best", "last"]) for seed in (2, 0, 1, 3)]
    floor = [run("untrained", "none", "none", seed) for seed in (1, 2, 0, 7)]
    roles = [{**one, "role": role} for role, runs in (("language", trained), ("untrained", floor)) for one in runs]
    contrasts = standard([SummaryRun.model_validate(one) for one in roles])
    found = picked(rows_of(results, roles, *contrasts), contrast="revised - untrained", dataset="dtd", metric=ACCURACY)
    assert {(row["method"], row["augmentation"]) for row in found} == {("simclr vs untrained", "crop vs none")}
    for step in ("best", "last"):
        runs = [[next(one for one in some if one["seed"] == seed) for seed in range(3)] for some in (trained, floor)]
        first = [hits(one, step, "dtd").mean() for one in runs[0]]
        second = [hits(one, "last", "dtd").mean() for one in runs[1]]  # the only checkpoint of an untrained network
        expected = stats.ttest_rel(first, second).confidence_interval(0.95)
        (seed,) = picked(found, step=step, level="seed")
        assert seed["n"] == 3 and seed["difference"] == pytest.approx(np.mean(first) - np.mean(second))
        assert (seed["low"], seed["high"]) == pytest.approx((expected.low, expected.high))
        (joint,) = picked(found, step=step, level="joint")
        assert joint["n"] == 3 and joint["low"] is not None and joint["unequal"] == ""
        assert joint["plus"].split() == [f"{one['run']}.{step}" for one in (trained[0], trained[1], trained[2])]
        assert joint["minus"].split() == [f"{one['run']}.last" for one in floor[:3]]


def test_the_set_that_chose_checkpoints_is_left_out_of_means(results: Path) -> None:
    chosen = {"steps": ["last", "best"], "chosen": {"best": "pets"}}
    runs = [run("simclr", pairs, "crop", s) | chosen for pairs in ("original", "revised") for s in range(3)]
    late = Contrast(name="late", terms=(Term(weight=1, step="last"), Term(weight=-1, step="best")))
    found = rows_of(results, runs, REVISED, late)
    for step, chosen_on, metric in (
        ("last", "", "mixed"),
        ("best", "pets", "accuracy"),
        ("last vs best", "pets", "accuracy"),
    ):
        at_step = picked(found, step=step)
        assert {row["chosen_on"] for row in at_step} == {chosen_on}
        rows = {row["dataset"]: row for row in picked(at_step, level="joint") if row["metric"].startswith("linear")}
        assert rows["mean"]["metric"] == f"linear_probe.sklearn.{metric}"
        of_mean = [rows["dtd"]["difference"], *([] if chosen_on else [rows["pets"]["difference"]])]
        assert rows["mean"]["difference"] == pytest.approx(np.mean(of_mean))
        said = (rows["pets"]["verdict"], rows["pets"]["reason"]) == ("exploratory", "this set chose the checkpoint")
        assert said == bool(chosen_on)
        assert rows["pets"]["p"] is not None and "chose" not in rows["mean"]["reason"] + rows["dtd"]["reason"]


def test_sets_with_fewer_classes_than_the_episodes_are_in_no_mean(results: Path) -> None:
    ways = {"pets": 5, "pcam": 2, "dtd": 5}
    runs = [run("simclr", pairs, "crop", 0) for pairs in ("original", "revised")]
    given = [Artifact(few_shot(results, one, name=name, ways=count)) for one in runs for name, count in ways.items()]
    settings = [SummaryRun.model_validate(one) for one in runs]
    found = contrast_rows(read_scores({"few_shot": given}, ()), settings, (REVISED,), 100)
    episodes = {row["dataset"]: row["n"] for row, _ in found if row["level"] == "episode"}
    assert episodes == {"pets": 8, "pcam": 8, "dtd": 8, "mean": 16}


def test_floors_of_saliency_are_not_contrasted(results: Path) -> None:
    names = {row["metric"] for row in rows_of(results, RUNS) if row["metric"].startswith("saliency.")}
    assert names == {"saliency.probe.pixel_ap", "saliency.probe.pixel_ap.corrected"}
