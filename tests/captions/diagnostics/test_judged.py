"""Figures of judges."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from workflow_scripts.captions.diagnostics.judged import compare


def table(
    own: list[float | None], random: list[float | None], images: list[int], halves: list[float] | None = None
) -> pa.Table:
    nothing = [0.0] * len(own)
    columns = {"fit": own, "fit_centred": own, "fit_random": random}
    columns |= {"fit_random_centred": nothing, "fit_halves": halves or nothing}
    return pa.table({"key": [str(n) for n in range(len(own))], "random_image": pa.array(images, pa.int16()), **columns})


def compared(tables: dict[str, pa.Table], reference: str | None) -> dict:  # type: ignore[type-arg]
    return compare(tables, tables.__getitem__, reference)


def test_figures_in_closed_form() -> None:
    images = [0, 0, 1, 1]
    tables = {
        "original": table([1.0, 2.0, None, 4.0], [0.0, 3.0, None, 4.0], images),
        "generated": table([2.0, 2.0, 5.0, 3.0], [1.0, 1.0, 1.0, 5.0], images),
    }
    found = compared(tables, "original")
    original, generated = found["original"]["fit"], found["generated"]["fit"]
    assert original["mean"]["value"] == pytest.approx(7 / 3) and original["mean"]["n"] == 3
    difference, reference = generated["mean"]["difference"], stats.ttest_1samp([1.0, 0.0, -1.0], 0)
    assert (difference["value"], difference["n"]) == (pytest.approx(0.0), 3)
    low, high = reference.confidence_interval(0.95)
    assert (difference["low"], difference["high"]) == (pytest.approx(low), pytest.approx(high))
    assert generated["mean_centred"]["value"] == pytest.approx(3.0)
    # Image 0: a win and a loss; image 1: a tie.
    assert original["above_random_image"]["value"] == 0.5 and original["above_random_image"]["n"] == 3
    assert original.keys() == {"mean", "mean_centred", "above_random_image"}
    # Image 0: a win and a tie; image 1: a loss (the null one does not count).
    assert generated["preferred"]["value"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert generated["style_control"]["value"] == pytest.approx((1 + 0 + 1) / 3)
    assert generated["style_control_centred"]["value"] == 0.5
    assert generated["style_control"]["low"] < 2 / 3 < generated["style_control"]["high"]


def test_the_interval_of_a_share_is_clustered_by_random_image() -> None:
    # Wins by random image, ten images of each sort: 1 of 1, 1 of 2, 0 of 3.
    wins, images = [1.0, 1.0, -1.0, -1.0, -1.0, -1.0], np.array([0, 1, 1, 2, 2, 2])
    many = np.concatenate([images + 3 * block for block in range(10)]).tolist()
    share = compared({"a": table(wins * 10, [0.0] * 60, many)}, None)["a"]["fit"]["above_random_image"]
    residuals = [1 - 1 / 3, 1 - 2 / 3, 0 - 3 / 3] * 10
    half = stats.t.ppf(0.975, 29) * (30 / 29 * sum(one**2 for one in residuals)) ** 0.5 / 60
    assert (share["value"], share["n"]) == (pytest.approx(1 / 3), 60)
    assert (share["low"], share["high"]) == (pytest.approx(1 / 3 - half), pytest.approx(1 / 3 + half))
    few = compared({"a": table(wins, [0.0] * 6, images.tolist())}, None)["a"]["fit"]["above_random_image"]
    assert (few["low"], few["high"]) == (0.0, 1.0)  # the interval would leave what a share can be
    nothing = compared({"a": table([None, 1.0], [0.0, None], [0, 1])}, None)["a"]["fit"]["above_random_image"]
    assert nothing == {"value": None, "low": None, "high": None, "n": 0}


def test_style_bias_of_a_judge_is_detected_and_removed_by_centring() -> None:
    rng = np.random.default_rng(0)
    count, others = 4000, 16

    def arm(style: float) -> pa.Table:
        text = rng.normal(style, 0.1, count)
        seen = rng.normal(0, 1, (count, others + 1)) + text[:, None]
        first, second = (seen[:, start::2].mean(axis=1) for start in (1, 2))
        own = seen[:, 0] - (first + second) / 2
        columns = {"fit": seen[:, 0] + 1, "fit_centred": own, "fit_random": seen[:, 0], "fit_random_centred": own}
        columns["fit_halves"] = first - second
        return pa.table({"random_image": pa.array(np.arange(count) % 256, pa.int16()), **columns})

    found = compared({"original": arm(0.0), "generated": arm(1.0)}, "original")["generated"]["fit"]
    assert found["style_control"]["low"] > 0.7
    control = found["style_control_centred"]
    assert control["low"] < 0.5 < control["high"] and control["high"] - control["low"] < 0.06
    assert compared({"a": arm(0.0)}, None)["a"]["fit"].keys() == {"mean", "mean_centred", "above_random_image"}


def test_intervals_of_centred_scores_include_the_error_of_drawing_other_images() -> None:
    images, values = list(range(40)), np.linspace(-1, 1, 40)
    own, nothing = values.tolist(), [0.0] * 40
    tables = {"plain": table(own, nothing, images), "drawn": table(own, nothing, images, [0.5] * 40)}
    plain, drawn = (arm["fit"]["mean_centred"] for arm in compared(tables, None).values())
    error, simulated = stats.sem(values), 0.25  # half of the difference between the halves' means
    freedom = (error**2 + simulated**2) ** 2 / (error**4 / 39 + simulated**4)
    half = stats.t.ppf(0.975, freedom) * np.hypot(error, simulated)
    assert plain["high"] == pytest.approx(stats.t.ppf(0.975, 39) * error)
    assert (drawn["value"], drawn["low"], drawn["high"]) == pytest.approx((0.0, -half, half))
