"""Cells of the table of settings."""

import pytest

from workflow_scripts.study.reference.page import _limits


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"minimum": 0.001, "maximum": 1024.0}, " ≥ 0.001, ≤ 1,024"),
        ({"exclusiveMinimum": 1.05, "exclusiveMaximum": 20}, " > 1.05, < 20"),
        ({}, ""),
    ],
)
def test_bounds_keep_their_decimals(bounds: dict[str, float], text: str) -> None:
    assert _limits(bounds) == text
