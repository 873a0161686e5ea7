"""Arms and contrasts against scipy and closed forms."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from tests.reporting.fake_study import contrast_rows
from workflow_scripts.reporting.console import arms_table
from workflow_scripts.reporting.sections import headline
from workflow_scripts.reporting.sections.headline import Row

PROBE, SALIENCY = "linear_probe.sklearn.accuracy", "saliency.probe.mass_in_mask"


def row(run: str, dataset: str, value: float, half: float | None = 0.03, metric: str = PROBE, **more: object) -> Row:
    ends = {"low": None, "high": None} if half is None else {"low": value - half, "high": value + half}
    head = {
        "method": "simclr",
        "pairs": "original",
        "augmentation": "crop",
        "tag": "",
        "seed": 0,
        "step": "last",
        "metric": metric,
    }
    return head | {"run": run, "dataset": dataset, "value": value} | ends | more


def contrast(**more: object) -> Row:
    head = {"contrast": "revised - original", "method": "simclr", "augmentation": "crop", "tag": "", "dataset": "mean"}
    rest = {"metric": PROBE, "level": "seed", "difference": 0.05, "low": 0.01, "high": 0.09, "n": 3, "step": "last"}
    return {**head, **rest, **more}


def test_three_seeds_get_the_t_interval_of_scipy() -> None:
    values = [0.61, 0.64, 0.60]
    (arm,) = headline.arms([row(f"r{seed}", "a", value, seed=seed) for seed, value in enumerate(values)])
    found = arm.estimates["probe"]
    assert found is not None and (found.kind, found.n, arm.seeds) == ("seeds", 3, 3)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_runs_of_different_tags_are_different_arms() -> None:
    found = headline.arms([row("r0", "a", 0.4), row("r1", "a", 0.6, tag="steps-4", seed=1)])
    assert [(arm.tag, arm.seeds) for arm in found] == [("", 1), ("steps-4", 1)]


def test_one_seed_combines_half_widths_of_independent_datasets() -> None:
    (arm,) = headline.arms([row("r", "a", 0.5, 0.03), row("r", "b", 0.7, 0.04)])
    found = arm.estimates["probe"]
    assert found is not None and found.kind == "test items"
    assert found.value == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(0.05 / 2)  # 3-4-5: sqrt(0.03² + 0.04²) / 2
    assert arm.estimates["saliency"] is None


def test_two_seeds_share_test_items_so_their_interval_does_not_shrink() -> None:
    (arm,) = headline.arms([row("r0", "a", 0.5, 0.03), row("r1", "a", 0.6, 0.05)])
    found = arm.estimates["probe"]
    assert found is not None and found.high - found.value == pytest.approx(0.04)


@pytest.mark.parametrize(("value", "half", "ends"), [(0.98, 0.05, (0.93, 1.0)), (0.02, 0.03, (0.0, 0.05))])
def test_an_interval_of_a_share_stays_within_0_and_1(value: float, half: float, ends: tuple[float, float]) -> None:
    (arm,) = headline.arms([row("r", "a", value, half)])
    found = arm.estimates["probe"]
    assert found is not None and (found.low, found.high) == pytest.approx(ends)
    (arm,) = headline.arms([row(f"r{seed}", "a", one) for seed, one in enumerate((0.0, 0.5, 1.0))])
    found = arm.estimates["probe"]
    assert found is not None and (found.low, found.high) == (0.0, 1.0)


def test_the_summary_s_own_mean_is_preferred_and_unshared_datasets_do_not_count() -> None:
    rows = [row("r", "a", 0.1), row("r", "b", 0.9), row("r", "mean", 0.55, 0.01)]
    (arm,) = headline.arms(rows)
    assert arm.estimates["probe"].value == 0.55  # type: ignore[union-attr]
    rows = [row("r", "a", 0.1), row("r", "b", 0.9), row("s", "a", 0.3, pairs="revised")]
    first, second = headline.arms(rows)
    assert first.estimates["probe"].value == 0.1  # type: ignore[union-attr]
    assert second.estimates["probe"].value == 0.3  # type: ignore[union-attr]


def test_an_interval_is_not_made_up_where_a_dataset_has_none() -> None:
    (arm,) = headline.arms([row("r", "a", 0.5, None), row("r", "b", 0.7)])
    found = arm.estimates["probe"]
    assert found is not None and (found.low, found.high, found.kind) == (None, None, "")


def test_a_run_without_the_wanted_step_shows_its_last_one() -> None:
    rows = [row("r", "a", 0.5, step="best"), row("r", "a", 0.6), row("u", "a", 0.3, pairs="none")]
    first, second = headline.arms(rows, "best")
    assert first.estimates["probe"].value == 0.5  # type: ignore[union-attr]
    assert second.estimates["probe"].value == 0.3  # type: ignore[union-attr]


def test_no_seed_level_interval_from_fewer_than_three_seeds() -> None:
    few, enough = headline.contrasts([contrast(n=2), contrast(n=3)])
    assert (few.low, few.high, few.verdict) == (None, None, "no interval")
    assert enough.verdict == "higher"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.09, "help"), (-0.09, -0.01, "hurt"), (-0.01, 0.05, "have no conclusive effect on")],
)
def test_the_claim_follows_the_interval_whichever_way_it_falls(low: float, high: float, words: str) -> None:
    claim = headline.claim(headline.contrasts([contrast(low=low, high=high, difference=(low + high) / 2)]))
    assert f"Revised captions {words} the linear probe of simclr" in claim
    assert "over 3 seeds" in claim


def test_the_claim_never_takes_one_method_for_all() -> None:
    rows = [contrast(), contrast(method="simsiam", low=-0.09, high=-0.01, difference=-0.05)]
    claim = headline.claim(headline.contrasts(rows))
    assert "help the linear probe of simclr" in claim and "hurt the linear probe of simsiam" in claim


def test_claims_without_interval_or_contrast() -> None:
    assert "too little data" in headline.claim(headline.contrasts([contrast(n=1)]))
    assert "no contrast" in headline.claim([])


def test_many_comparisons_are_counted() -> None:
    ends = [(0.01, 0.09), (-0.09, -0.01), (-0.01, 0.05)]
    rows = [contrast(dataset=f"d{at}", low=low, high=high) for at, (low, high) in enumerate(ends)]
    assert "3 comparisons: 1 higher, 1 lower, 1 inconclusive" in headline.claim(headline.contrasts(rows))


def test_the_headline_takes_pooled_rows_of_its_step() -> None:
    leaders = headline.leading(headline.contrasts(contrast_rows()), "best")
    assert {(row.family, row.dataset, row.step) for row in leaders} == {
        ("probe", "mean", "best"),
        ("few_shot", "mean", "best"),
        ("saliency", "masks", "best"),
    }


def test_the_terminal_shows_the_same_numbers() -> None:
    summary = [row(f"r{seed}", "a", value, seed=seed) for seed, value in enumerate((0.61, 0.64, 0.60))]
    text = arms_table(pa.Table.from_pylist(summary), pa.Table.from_pylist([contrast(), contrast(level="image", n=400)]))
    low, high = stats.t.interval(0.95, 2, 0.61667, stats.sem([0.61, 0.64, 0.60]))
    assert f"61.7 [{100 * low:.1f}, {100 * high:.1f}]s" in text
    assert "+5.0 [+1.0, +9.0] n=400, higher" in text and "+5.0 [+1.0, +9.0] n=3, higher" in text


def test_the_terminal_says_when_there_is_nothing() -> None:
    empty = pa.Table.from_pylist([row("r", "a", 0.5)]).slice(0, 0)
    text = arms_table(empty, pa.Table.from_pylist([contrast()]).slice(0, 0))
    assert "no arm was evaluated" in text and "no two arms" in text
