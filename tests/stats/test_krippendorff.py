"""Krippendorff's alpha on an ordinal scale."""

import pytest

from workflow_scripts.stats.krippendorff import ordinal_alpha

# The example of Krippendorff (2011), section C: four observers, twelve units, values 1 to 5, some missing.
UNITS = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
    [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip


def test_the_published_example() -> None:
    assert ordinal_alpha([[value - 1 for value in unit] for unit in UNITS], 5) == pytest.approx(0.815, abs=5e-4)


def test_perfect_agreement_and_none() -> None:
    assert ordinal_alpha([[0, 0], [3, 3], [1, 1]], 4) == 1
    # Two raters, always at opposite ends, as often this way as that: observed d, expected d n / (2 (n - 1)), so
    # 1 - 2 (n - 1) / n = -0.5 for n = 4.
    assert ordinal_alpha([[0, 3], [3, 0]], 4) == pytest.approx(-0.5)


def test_undefined() -> None:
    assert ordinal_alpha([[2, 2], [2, 2]], 4) is None
    assert ordinal_alpha([[2], [1], []], 4) is None
