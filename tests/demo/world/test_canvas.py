"""Polygons and patterned paint."""

import numpy as np
import pytest

from workflow_scripts.demo.world.canvas import Canvas, Paint, Part, arc, blend, box, ellipse, pattern_of, stroke


def area(points):
    x, y = points.T
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def test_areas_of_shapes():
    assert area(box(0, 0, 2, 3)) == pytest.approx(6)
    assert area(ellipse(1, 1, 2, 0.5, turn=0.7, corners=400)) == pytest.approx(np.pi, rel=1e-3)
    assert area(arc(0, 0, 1, 1, 0, np.pi, 400)) == pytest.approx(np.pi / 2, rel=1e-3)
    assert area(stroke([(0, 0), (3, 4)], 0.2)) == pytest.approx(1.0)


@pytest.mark.parametrize(("pattern", "share"), [("striped", 0.5), ("checked", 0.5), ("dotted", np.pi * 0.09)])
@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_shares_of_the_second_colour(pattern, share, angle):
    u, v = np.meshgrid(np.linspace(0, 20, 800, endpoint=False), np.linspace(0, 20, 800, endpoint=False))
    found = pattern_of(Paint((0, 0, 0), pattern=pattern, period=0.5, angle=angle), u, v)
    assert found.mean() == pytest.approx(share, abs=0.01)


def test_stripes_repeat_along_their_angle_and_not_across():
    u, v = np.meshgrid(np.linspace(0, 4, 200), np.linspace(0, 4, 200))
    found = pattern_of(Paint((0, 0, 0), pattern="striped", period=1.0), u, v)
    assert (found == found[0]).all() and not (found[:, :1] == found).all()


def test_an_unknown_pattern_is_refused():
    with pytest.raises(ValueError, match="unknown pattern 'tartan'; choose plain"):
        pattern_of(Paint((0, 0, 0), pattern="tartan"), np.zeros(1), np.zeros(1))


def test_blend_goes_from_one_colour_to_the_other():
    assert blend((0, 100, 200), (100, 0, 200), 0) == (0, 100, 200)
    assert blend((0, 100, 200), (100, 0, 200), 1) == (100, 0, 200)
    assert blend((0, 100, 200), (100, 0, 200), 0.25) == (25, 75, 200)


@pytest.mark.parametrize("pattern", ["plain", "striped"])
def test_parts_are_drawn_on_picture_and_mask_also_where_they_stick_out(pattern):
    canvas = Canvas(np.zeros((20, 20, 3), np.uint8))
    frame = np.array([[10.0, 0, 10], [0, 10, 10]])
    paint = Paint((255, 0, 0), (0, 255, 0), pattern)
    far = Part(box(3, 3, 4, 4), paint)  # outside: draws nothing, and is no error
    canvas.place([Part(box(0, 0, 3, 3), paint), far], frame)
    mask, picture = np.asarray(canvas.mask) > 0, np.asarray(canvas.picture)
    assert mask[10:, 10:].all() and not mask[:10].any() and not mask[:, :10].any()
    assert (picture.max(axis=2) > 0).tolist() == mask.tolist()
    assert {tuple(colour) for colour in picture[mask].tolist()} == (
        {(255, 0, 0)} if pattern == "plain" else {(255, 0, 0), (0, 255, 0)}
    )
