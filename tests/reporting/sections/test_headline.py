"""Arms against scipy and closed forms."""

import numpy as np
import pytest
from scipy import stats

from workflow_scripts.reporting.sections import headline
from workflow_scripts.reporting.sections.headline import Row
from workflow_scripts.reporting.settings import Report

PROBE, SALIENCY = "linear_probe.sklearn.accuracy", "saliency.probe.pixel_ap.corrected"


def row(run: str, dataset: str, value: float, half: float | None = 0.03, metric: str = PROBE, **more: object) -> Row:
    ends = {"low": None, "high": None} if half is None else {"low": value - half, "high": value + half}
    head = {
        "method": "simclr",
        "pairs": "original",
        "augmentation": "crop",
        "tag": "",
        "backbone": "resnet_small",
        "trained_steps": 200,
        "epochs": 12.5,
        "batch_size": 64,
        "seed": 0,
        "step": "last",
        "metric": metric,
        "chosen_on": "",
    }
    return head | {"run": run, "dataset": dataset, "value": value} | ends | more


def estimate(rows: list[Row], measure: str = "probe") -> headline.Estimate:
    """That of the only arm of these rows."""
    (arm,) = headline.arms(rows)
    found = arm.estimates[measure]
    assert found is not None
    return found


def test_three_seeds_get_the_t_interval_of_scipy() -> None:
    values = [0.61, 0.64, 0.60]
    found = estimate([row(f"r{seed}", "a", value, seed=seed) for seed, value in enumerate(values)])
    assert found.kind == "seeds"
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("what", "first", "second"), [("tag", "", "steps-4"), ("backbone", "resnet_small", "resnet34")]
)
def test_runs_of_different_tags_or_backbones_are_different_arms(what: str, first: str, second: str) -> None:
    found = headline.arms([row("r0", "a", 0.4), row("r1", "a", 0.6, seed=1, **{what: second})])
    assert [(getattr(arm, what), arm.seeds) for arm in found] == [(first, 1), (second, 1)]
    assert [arm.backbone for arm in headline.arms([row("r0", "a", 0.4)])] == [""]


def test_an_arm_shows_the_steps_and_epochs_of_its_runs() -> None:
    rows = [row("r0", "a", 0.4), row("r1", "a", 0.6, trained_steps=3000, epochs=187.5)]
    untrained = row("r2", "a", 0.2, method="untrained", trained_steps=0, epochs=None)
    assert [arm.length for arm in headline.arms([*rows, untrained])] == ["200 to 3,000 steps, 12.5 to 188 epochs", ""]


def test_beside_intervals_over_seeds_an_arm_with_fewer_is_a_reference() -> None:
    seeds = [row(f"r{seed}", "a", value, seed=seed) for seed, value in enumerate((0.61, 0.64, 0.60))]
    masks = {"metric": SALIENCY, "dataset": "masks"}
    one = [row("o", "a", 0.9, pairs="oracle"), row("o", **masks, value=0.5, pairs="oracle")]
    several, reference = headline.arms([*seeds, *one])
    assert several.estimates["probe"].kind == "seeds"  # type: ignore[union-attr]
    assert reference.estimates["probe"] == headline.Estimate(0.9, None, None, "reference")
    assert reference.estimates["saliency"].kind == "test items"  # type: ignore[union-attr]


def test_a_single_seed_combines_half_widths_of_independent_datasets() -> None:
    (arm,) = headline.arms([row("r", "a", 0.5, 0.03), row("r", "b", 0.7, 0.04)])
    found = arm.estimates["probe"]
    assert found is not None and found.kind == "test items"
    assert found.value == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(0.05 / 2)  # 3-4-5: sqrt(0.03² + 0.04²) / 2
    assert arm.estimates["saliency"] is None


def test_two_seeds_share_test_items_so_their_interval_does_not_shrink() -> None:
    found = estimate([row("r0", "a", 0.5, 0.03), row("r1", "a", 0.6, 0.05)])
    assert found.high - found.value == pytest.approx(0.04)


@pytest.mark.parametrize(("value", "half", "ends"), [(0.98, 0.05, (0.93, 1.0)), (0.02, 0.03, (0.0, 0.05))])
def test_intervals_of_shares_are_clipped_to_0_and_1(value: float, half: float, ends: tuple[float, float]) -> None:
    found = estimate([row("r", "a", value, half)])
    assert (found.low, found.high) == pytest.approx(ends)
    found = estimate([row(f"r{seed}", "a", one) for seed, one in enumerate((0.0, 0.5, 1.0))])
    assert (found.low, found.high) == (0.0, 1.0)


def test_the_interval_of_a_corrected_score_may_be_negative() -> None:
    found = estimate([row("r", "a", 0.02, 0.03, metric=SALIENCY)], "saliency")
    assert (found.low, found.high) == pytest.approx((-0.01, 0.05))


def test_the_summary_mean_is_preferred_and_only_shared_datasets_count() -> None:
    rows = [row("r", "a", 0.1), row("r", "b", 0.9), row("r", "mean", 0.55, 0.01)]
    assert estimate(rows).value == 0.55
    rows = [row("r", "a", 0.1), row("r", "b", 0.9), row("s", "a", 0.3, pairs="revised")]
    first, second = headline.arms(rows)
    assert first.estimates["probe"].value == 0.1  # type: ignore[union-attr]
    assert second.estimates["probe"].value == 0.3  # type: ignore[union-attr]


def test_a_selection_set_is_left_out_of_the_mean_of_its_arm() -> None:
    best = {"step": "best", "chosen_on": "a"}
    rows = [row("r", "a", 0.1, **best), row("r", "b", 0.9, **best), row("r", "mean", 0.9, **best)]
    other = [row("s", "a", 0.3, pairs="none"), row("s", "b", 0.5, pairs="none"), row("s", "mean", 0.4, pairs="none")]
    found = [arm.estimates["probe"].value for arm in headline.arms([*rows, *other], "best")]  # type: ignore[union-attr]
    assert found == [0.9, 0.5]
    assert headline.arms([rows[0]], "best")[0].estimates["probe"] is None
    note = headline.selection_note([*rows, *other, row("r", "b", 0.9, **best | {"step": "last"})])
    assert note == (
        "Checkpoints chosen on a: best and last. There, means over sets leave it out, and its own contrasts are "
        "inconclusive."
    )
    assert headline.selection_note(other) == ""


def test_a_mean_has_no_interval_if_a_dataset_has_none() -> None:
    found = estimate([row("r", "a", 0.5, None), row("r", "b", 0.7)])
    assert (found.low, found.high, found.kind) == (None, None, "")


def test_a_run_without_the_requested_step_shows_its_last_step() -> None:
    rows = [row("r", "a", 0.5, step="best"), row("r", "a", 0.6), row("u", "a", 0.3, pairs="none")]
    first, second = headline.arms(rows, "best")
    assert first.estimates["probe"].value == 0.5  # type: ignore[union-attr]
    assert second.estimates["probe"].value == 0.3  # type: ignore[union-attr]


def test_bold_is_the_highest_of_those_with_the_most_seeds() -> None:
    """Plain SimCLR is higher with one seed, pairs by label are a ceiling; original and revised are equal as shown."""
    values = {"original": [0.4, 0.7], "revised": [0.5001, 0.6], "mixed": [0.3, 0.3], "self": [0.8], "label": [0.9, 0.9]}
    rows = [
        row(f"{pairs}{seed}", "a", value, seed=seed, pairs=pairs)
        for pairs, seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    settings = Report(study="s", captions_of={}, headline_step="last", roles={"label": "oracle"})
    found = headline.run_table(rows, "last", settings)
    assert found is not None and found.table.best == {(0, 2), (1, 2)}
