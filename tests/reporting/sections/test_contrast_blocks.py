"""Positions in the figure of a contrast against closed forms."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

from workflow_scripts.reporting.sections.contrast_blocks import DIFFERENCES, SCORES, Line, contrast_figure

LINE = Line("simclr: <b>", "arm-revised", [0.6, 0.7], [0.5], [("untrained", 0.2)], [("supervised", 0.9)], 0.1, 0.0, 0.2)


def across(drawn: str, css: str) -> list[float]:
    """Horizontal positions of circles or lines of a class."""
    return [float(x) for x in re.findall(rf'class="{css}" (?:cx|x1)="([\d.]+)"', drawn)]


def test_scores_and_differences_are_where_they_belong() -> None:
    drawn = str(contrast_figure([LINE], "<i>"))
    ElementTree.fromstring(drawn)
    assert "<b>" not in drawn and "&lt;b&gt;" in drawn and "<i>" not in drawn
    floor, ceiling = across(drawn, "floor")[0], across(drawn, "ceiling")[0]
    assert SCORES[0] < floor < ceiling < SCORES[1]
    first, second, difference = across(drawn, "dot")
    (subtracted,) = across(drawn, "dot hollow")
    for x, share in ((first, 0.6), (second, 0.7), (subtracted, 0.5)):
        assert abs(x - (floor + (ceiling - floor) * (share - 0.2) / 0.7)) < 0.2
    (zero,), (low,) = across(drawn, "zero"), across(drawn, "whisker")
    assert zero == low and abs(difference - sum(DIFFERENCES) / 2) < 0.2  # from 0 to 0.2, so that 0.1 is in the middle


def test_without_interval_the_difference_is_hollow() -> None:
    drawn = str(contrast_figure([replace(LINE, low=None, high=None)], "x"))
    assert "whisker" not in drawn and len(across(drawn, "dot hollow")) == 2


def test_without_scores_there_is_still_a_difference() -> None:
    bare = replace(LINE, plus=[], minus=[], floors=[], ceilings=[])
    assert len(across(str(contrast_figure([bare], "x")), "dot")) == 1
