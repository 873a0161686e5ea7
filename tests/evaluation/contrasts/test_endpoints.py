"""Endpoints that are no accuracies of runs, against closed forms, and their place among the primary contrasts."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from scipy import stats

from tests.evaluation.contrasts.made_up import OBJECTIVES, arm, drawn, study_scores
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.evaluation.contrasts.comparisons import checkpoints
from workflow_scripts.evaluation.contrasts.contrasts import contrast_rows
from workflow_scripts.evaluation.contrasts.endpoints import Endpoint, Sample, orderings, stored, weighted_means
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.discrimination.rule import Discrimination
from workflow_scripts.stats.intervals import wilson

PURITY = Contrast(name="purity", endpoint="pair_purity", minuend="b", subtrahend="a", primary=True)
STEPS = ("step-000010", "step-000020", "last")


def keys(*numbers: int) -> pa.ChunkedArray:
    return pa.chunked_array([[f"k{n}" for n in numbers]])


def sample(weight: float, values: np.ndarray, images: pa.ChunkedArray) -> Sample:
    return Sample(weight, np.atleast_2d(values), images)


def variance(found: Endpoint) -> float:
    assert found.effect is not None
    return float(found.effect.variance)


def test_a_difference_on_the_same_images_is_paired() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (2, 50)) + rng.normal(0, 3, 50)
    order = rng.permutation(50)
    found = weighted_means(
        "m", [sample(1, second, keys(*range(50))), sample(-1, first[order], keys(*order))], [0], False
    )
    t = stats.ttest_rel(second, first)
    assert found.effect is not None and found.n == 50 and found.level == "image"
    assert found.value == pytest.approx(np.mean(second - first))
    assert found.effect.p_value() == pytest.approx(t.pvalue)
    assert found.effect.interval(0.95) == pytest.approx(tuple(t.confidence_interval()))


def test_a_difference_on_other_images_has_both_variances() -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 400))
    found = weighted_means(
        "m", [sample(1, first, keys(*range(400))), sample(-1, second, keys(*range(400, 800)))], [], False
    )
    assert found.effect is not None and found.n == 800
    assert float(found.effect.variance) == pytest.approx((first.var() + second.var()) / 400, rel=0.01)


def test_pairs_of_an_image_are_one_cluster() -> None:
    """Every pair twice: the same interval as once."""
    hits = np.random.default_rng(2).random((2, 60)) < [[0.4], [0.7]]
    once = [sample(sign, own.astype(float), keys(*range(60))) for sign, own in zip((-1, 1), hits, strict=True)]
    twice = [sample(one.weight, np.repeat(one.values, 2), keys(*np.repeat(range(60), 2))) for one in once]
    one, other = (weighted_means("m", samples, [], False) for samples in (once, twice))
    assert (one.value, variance(one), one.n) == pytest.approx((other.value, variance(other), other.n))


def test_only_images_that_all_arms_have_are_paired() -> None:
    values = np.array([1.0, 2.0, 9.0, 4.0])
    samples = [sample(1, values, keys(0, 1, 2, 3)), sample(-1, np.array([1.0, 1.0, 1.0]), keys(3, 1, 0))]
    found = weighted_means("m", samples, [], True)
    assert found.n == 3 and found.value == pytest.approx((1 + 2 + 4) / 3 - 1)
    assert weighted_means("m", samples, [], False).value == pytest.approx(3.0)
    alone = weighted_means("m", [samples[0], sample(-1, np.ones(1), keys(7))], [], True)
    assert alone.effect is None and alone.reason == "fewer than two images"


def test_a_judge_adds_the_error_of_its_other_images() -> None:
    values, far = np.random.default_rng(3).normal(size=(2, 30))
    halves = np.stack([values, values - 0.3, values + 0.3])
    without, with_halves = (
        weighted_means("m", [sample(1, one, keys(*range(30))), sample(-1, other, keys(*range(30)))], [], True)
        for one, other in ((values, far), (halves, np.stack([far] * 3)))
    )
    assert without.effect is not None and with_halves.effect is not None
    assert with_halves.value == pytest.approx(without.value)
    assert variance(with_halves) == pytest.approx(variance(without) + 0.09)
    assert float(with_halves.effect.freedom) < 29


def test_a_stored_share_is_below_the_margin_if_its_interval_is() -> None:
    share = wilson(0.02, 400)
    found = stored("flips.clip.cosine", {**share._asdict(), "n": 400}, [3])
    assert found.effect is not None and found.value == 0.02
    assert float(found.effect.interval(0.95)[1]) == pytest.approx(share.high)
    assert found.effect.p_equivalent(0.05) < 0.025 < found.effect.p_equivalent(0.03)
    no_interval = {"low": None, "high": None, "n": 0}
    nothing = stored("flips.clip.cosine", {"value": None, **no_interval}, [])
    assert nothing.effect is None and nothing.reason and np.isnan(nothing.value)
    assert stored("flips.clip.cosine", {"value": 0.25, **no_interval}, []).value == 0.25


def trained(
    seeds: int, spread: float, steps: tuple[str, ...] = STEPS, seed: int = 0, drifts: bool = False
) -> tuple[Any, ...]:
    """Scores of 60 images that rise by step and deviate or drift by ``spread``, and those of an untrained network."""
    rng = np.random.default_rng(seed)
    runs = [*arm("a", seeds, steps=steps), *arm("b", seeds, steps=steps), *arm("none", 1, "untrained")]
    tables, rows = {}, []
    for one in runs:
        before = 0.0
        for at, step in enumerate(one.steps):
            mean = 0.2 * at + before + rng.normal(0, spread)
            before = mean - 0.2 * at if drifts else 0.0
            tables[one.run, step] = {(SALIENCY, "masks"): mean + rng.normal(0, 0.05, 60)}
            rows.append({**one.model_dump(), "step": step})
    return study_scores(tables), rows, runs


def found_orderings(*given: Any, **rule: Any) -> Endpoint:
    return orderings(*trained(*given), None, Discrimination(**rule), 200)


def test_a_true_metric_recovers_orderings_and_noise_does_not() -> None:
    true, noise = found_orderings(5, 0.0), found_orderings(5, 9.0)
    assert true.effect is not None and noise.effect is not None
    assert true.value == 0.5 and float(true.effect.p_value()) == pytest.approx(2 * stats.t.sf(np.sqrt(15), 4))
    assert float(noise.effect.p_value()) > 0.05 and true.metric == f"orderings.{SALIENCY}"
    assert true.n == 5 and len(true.sides) == 2 * 5 * 3  # without the untrained network
    assert len(checkpoints(true.sides)["plus"].split()) == 2 * 5 * 3


def of_two_images(*rise: tuple[float, float]) -> Any:
    """The effect on orderings, if scores of two images, of a class each, rise by so much at each step; by seed."""
    runs = arm("a", len(rise), steps=STEPS)
    tables = {(run.run, step): {(SALIENCY, "masks"): at * np.array(rise[run.seed])}
              for run in runs for at, step in enumerate(STEPS)}  # fmt: skip
    rows = [{**run.model_dump(), "step": step} for run in runs for step in STEPS]
    return orderings(study_scores(tables), rows, runs, None, Discrimination(), 4000).effect


def test_the_variance_of_orderings_is_that_of_seeds_and_of_images() -> None:
    alike = of_two_images(*[(2.0, -1.0)] * 5)  # reversed where the second image is drawn twice, in 1/4 of resamples
    assert alike.mean == 0.5 and alike.seed_variance == pytest.approx(1 / 12 / 5)
    assert alike.variance == pytest.approx(1 / 12 / 5 + 3 / 16, rel=0.05)
    assert alike.freedom == pytest.approx(4 * (alike.variance / alike.seed_variance) ** 2)
    differing = of_two_images(*[(1.0, 1.0)] * 3, *[(-1.0, -1.0)] * 2)
    assert differing.variance == differing.seed_variance == pytest.approx(np.var([1, 1, 1, 0, 0], ddof=1) / 5)
    assert differing.freedom == 4


@pytest.mark.parametrize("drifts", [False, True])
def test_noise_is_seldom_better_than_chance(drifts: bool) -> None:
    """A metric that drifts at random within each run is in order more often than independent noise."""
    p = [float(orderings(*trained(5, 9.0, seed=seed, drifts=drifts), None, Discrimination(), 100).effect.p_value())  # type: ignore[union-attr]
         for seed in range(1, 101)]  # fmt: skip
    assert np.mean(np.array(p) < 0.05) <= 0.07


def test_orderings_need_seeds_and_intermediate_levels() -> None:
    assert found_orderings(2, 0.0).reason == "seeds: 2; 3 are required"
    ends = found_orderings(5, 0.0, STEPS[1:])
    assert ends.reason == "known levels: 2; 3 are required" and ends.effect is not None
    assert found_orderings(5, 0.0, STEPS[2:]).reason == "no order of runs is known"


def rows_of(*contrasts: Contrast, endpoints: list[tuple[Contrast, Endpoint]]) -> list[dict[str, Any]]:
    runs: list[SummaryRun] = [one for pairs in "ab" for one in arm(pairs)]
    scores = study_scores(drawn(runs, np.random.default_rng(4), {"b": 0.02}))
    found = contrast_rows(scores, runs, contrasts, 100, endpoints=endpoints)
    return [row for row, _ in found if row.get("verdict")]


def purity(difference: float) -> Endpoint:
    values = np.random.default_rng(5).random((2, 300)) < [[0.3], [0.3 + difference]]
    samples = [sample(sign, own.astype(float), keys(*range(300))) for sign, own in zip((-1, 1), values, strict=True)]
    return weighted_means("pair_purity", samples, [], False)


def test_an_endpoint_without_runs_is_in_the_family_of_each_objective() -> None:
    accuracy = Contrast(name="b - a", minuend="b", subtrahend="a", primary=True)
    found = [row for row in rows_of(accuracy, PURITY, endpoints=[(PURITY, purity(0.3))]) if row["primary"]]
    assert [row["metric"].rpartition(".")[0] or row["metric"] for row in found] == ["pair_purity", *OBJECTIVES]
    assert found[0]["verdict"] == "supported" and found[0]["level"] == "image" and found[0]["n"] == 300
    assert found[0]["p_adjusted"] == pytest.approx(2 * found[0]["p"])
    alone = rows_of(accuracy, endpoints=[])
    assert all(row["p_adjusted"] >= one["p_adjusted"] for row, one in zip(found[1:], alone, strict=False))


def test_an_endpoint_without_runs_is_exploratory_unless_it_is_primary_or_the_first() -> None:
    plain = PURITY.model_copy(update={"primary": False})
    other = Contrast(name="b - a", minuend="b", subtrahend="a")
    (only, *_) = rows_of(plain, other, endpoints=[(plain, purity(0.3))])
    assert (only["primary"], only["verdict"]) == ("default", "supported")
    rows = rows_of(other, plain, endpoints=[(plain, purity(0.3))])
    assert (rows[0]["metric"], rows[0]["verdict"]) == ("pair_purity", "exploratory")
    assert {row["primary"] for row in rows} == {"", "default"}


def test_a_reason_stands_in_the_way_of_a_verdict() -> None:
    rows = rows_of(
        PURITY, endpoints=[(PURITY, weighted_means("pair_purity", [sample(1, np.ones(1), keys(0))], [], False))]
    )
    (row,) = [row for row in rows if row["primary"]]
    assert (row["difference"], row["verdict"], row["reason"]) == (None, "inconclusive", "fewer than two images")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"endpoint": "caption_score", "minuend": "a", "subtrahend": "b"}, "need a judge"),
        ({"endpoint": "pair_purity", "minuend": "a", "subtrahend": "b", "judge": "clip"}, "only they have one"),
        ({"endpoint": "pair_purity", "minuend": "a", "subtrahend": "b", "metric": "x"}, "has no metric"),
        ({"endpoint": "pair_purity", "minuend": "a", "subtrahend": "b", "per": ["method"]}, "has no per"),
        ({"endpoint": "pair_purity", "terms": [{"weight": 1, "method": "clip"}, {"weight": -1}]}, "can't have method"),
        ({"terms": [{"weight": 1, "encoder": "mpnet"}, {"weight": -1}]}, "can't have encoder"),
        ({"endpoint": "orderings", "minuend": "a", "subtrahend": "b"}, "compares a metric with chance"),
        ({"endpoint": "flips", "judge": "clip", "minuend": "a", "subtrahend": "b"}, "needs test equivalence"),
    ],
)
def test_what_does_not_fit_an_endpoint_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Contrast.model_validate({"name": "c", **given})
