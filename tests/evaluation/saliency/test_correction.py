import numpy as np
import pytest

from workflow_scripts.evaluation.saliency.correction import SCALES, estimates, linearised
from workflow_scripts.evaluation.saliency.maps.floors import enlarged, oracle
from workflow_scripts.evaluation.saliency.scores import SCORES, near_object, score_maps
from workflow_scripts.evaluation.saliency.tables import strata

MAPS = ["probe", "runner_up", "uniform", "oracle"]
RAW, CORRECTED, LEAD = range(3)


def made_up(n: int = 120, classes: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores (1, n, maps, 2) that depend on the class, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    uniform = rng.uniform(0.05, 0.5, n)
    ceiling = uniform + (1 - uniform) * rng.uniform(0.7, 1, n)
    skill = np.clip(0.5 + 0.2 * rng.normal(size=classes)[labels] + 0.2 * rng.normal(size=n), 0, 1)
    own = uniform + skill * (ceiling - uniform)
    wrong = uniform + (skill - 0.3) * (ceiling - uniform)
    return np.stack([np.stack([own, wrong, uniform, ceiling], axis=1)] * 2, axis=2)[None], labels


def test_corrected_scores_are_1_for_the_oracle_and_0_for_the_uniform_map() -> None:
    scores, labels = made_up()
    rng = np.random.default_rng(1)
    found = strata(rng.uniform(0, 0.6, 120), rng.random(120))
    assert len(found) == 8
    for chosen in found.values():
        one = estimates(scores, labels, chosen, MAPS, 100, 0.95, 0)
        for ends in (one.values, one.low, one.high):
            assert (ends[CORRECTED, MAPS.index("oracle")] == 1).all()
            assert (ends[CORRECTED, MAPS.index("uniform")] == 0).all()
            assert (ends[LEAD, MAPS.index("probe")] == 0).all()


def test_corrected_scores_are_ratios_of_means_with_paired_intervals() -> None:
    scores, labels = made_up()
    found = estimates(scores, labels, np.ones(120, bool), MAPS, 2000, 0.95, 0)
    own, wrong, uniform, oracle = scores[0, :, :, 0].mean(axis=0)
    assert found.values[CORRECTED, 0, 0] == pytest.approx((own - uniform) / (oracle - uniform))
    assert found.values[LEAD, 1, 0] == pytest.approx((own - wrong) / (oracle - uniform))
    assert len(SCALES) == len(found.values)
    # The two maps differ by nearly the same amount in every image, which only a paired interval knows.
    width = found.high - found.low
    assert width[LEAD, 1, 0] < 0.2 * width[CORRECTED, 0, 0]


def test_classes_widen_the_interval() -> None:
    scores, labels = made_up(n=600)
    clustered = estimates(scores, labels, np.ones(600, bool), MAPS, 1000, 0.95, 0)
    alone = estimates(scores, np.arange(600), np.ones(600, bool), MAPS, 1000, 0.95, 0)
    wider, narrower = (found.high[CORRECTED, 0, 0] - found.low[CORRECTED, 0, 0] for found in (clustered, alone))
    assert wider > 2 * narrower


def test_full_masks_and_a_single_class_have_no_interval() -> None:
    scores, labels = made_up()
    full = np.ones_like(scores)
    assert np.isnan(estimates(full, labels, np.ones(120, bool), MAPS, 100, 0.95, 0).values[CORRECTED]).all()
    one = estimates(scores, np.zeros(120), np.ones(120, bool), MAPS, 100, 0.95, 0)
    assert np.isfinite(one.values).all() and np.isnan(one.low).all()


def test_linearised_values_have_the_corrected_mean_and_its_spread() -> None:
    scores, _ = made_up(n=400, classes=400)
    own, uniform, oracle = (scores[0, :, MAPS.index(name), 0] for name in ("probe", "uniform", "oracle"))
    values = linearised(own, uniform, oracle)
    assert values is not None
    found = estimates(scores, np.arange(400), np.ones(400, bool), MAPS, 2000, 0.95, 0)
    assert values.mean() == pytest.approx(found.values[CORRECTED, 0, 0])
    half = 1.96 * values.std() / 20
    assert (found.high - found.low)[CORRECTED, 0, 0] == pytest.approx(2 * half, rel=0.1)
    assert linearised(uniform, uniform, uniform) is None


def test_permuted_masks_score_nothing() -> None:
    """Maps that know the masks of other images: they lead no other map, and mass is that of chance.

    Average precision is not: an unrelated blob scores above a constant map, .055 here.
    """
    rng = np.random.default_rng(0)
    masks = np.zeros((80, 24, 24), np.uint8)
    for mask, (y, x) in zip(masks, rng.integers(0, 24, (80, 2)), strict=True):
        mask[np.ix_((y + np.arange(8)) % 24, (x + np.arange(8)) % 24)] = 1  # anywhere: no place is likelier
    scores = []
    for at, mask in enumerate(masks):
        small = np.stack([oracle(masks[at - shift], (6, 6)) for shift in (1, 2, 0)])
        own, other, ceiling = enlarged(small, 24, "bilinear")
        maps = np.stack([own, other, np.ones((24, 24)), ceiling])
        scores.append(score_maps(maps, mask, near_object(mask, 1), np.linspace(0, 1, 11)))
    found = estimates(np.array(scores)[None], np.arange(80) % 8, np.ones(80, bool), MAPS, 500, 0.95, 0)
    mass = list(SCORES).index("mass_in_mask")
    assert found.low[CORRECTED, 0, mass] < 0 < found.high[CORRECTED, 0, mass]
    assert (found.low[LEAD, 1] < 0).all() and (found.high[LEAD, 1] > 0).all()
