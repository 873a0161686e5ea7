import numpy as np
from scipy import stats

from workflow_scripts.pretraining.data.crops import DRAWS, draws


def test_any_part_of_a_step_is_drawn_by_itself() -> None:
    made = draws(0, 7, 1, 0, 40)
    assert made.shape == (40, DRAWS)
    np.testing.assert_array_equal(draws(0, 7, 1, 13, 20), made[13:33])
    others = (draws(1, 7, 1, 0, 40), draws(0, 8, 1, 0, 40), draws(0, 7, 0, 0, 40), draws(0, 7, 1, 40, 40))
    assert len(np.unique(np.stack([made, *others]))) == 5 * 40 * DRAWS


def test_draws_are_uniform() -> None:
    assert stats.kstest(np.stack([draws(0, step, 0, 0, 9) for step in range(50)]).ravel(), "uniform").pvalue > 1e-3
