"""Ratings of any table, and their captions as those of several arms."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.labels.agreement import Rating, Ratings, figures, laid_out, ratings_of, read_ratings
from workflow_scripts.captions.labels.reading import Labels, Rated
from workflow_scripts.captions.score_table import schema
from workflow_scripts.core.errors import PipelineError

ROW = st.builds(Rating, st.sampled_from("abcd"), st.sampled_from(["x", "y", "z"]), st.floats(0, 3))


@given(st.lists(ROW, max_size=20))
def test_each_rating_finds_its_caption_in_the_layout(rows: list[Rating]) -> None:
    layout = laid_out(rows)
    count = len(layout.images)
    assert sorted(layout.images) == sorted({row.image for row in rows})
    for row, place in zip(rows, layout.places.tolist(), strict=True):
        arm, image = divmod(place, count)
        assert (layout.images[image], layout.arms[arm][image]) == (row.image, row.caption)
    texts = [text for arm in layout.arms for text in arm if text]
    assert len(texts) == len({row[:2] for row in rows}), "each pair is scored once"
    assert len(layout.arms) == max(Counter(image for image, _ in {row[:2] for row in rows}).values(), default=0)


def test_ratings_are_read_as_written_and_faulty_rows_are_counted(tmp_path: Path) -> None:
    good = ['1,"NA",me,NA', '2.5,"two,\nlines",me,b.jpg']
    bad = [",x,me,b.jpg", "3,,me,b.jpg", "3,x,me,", "nan,x,me,c"]
    (tmp_path / "r.csv").write_text("\n".join(["rating,caption,who,image", *good, *bad]))
    found = read_ratings(tmp_path / "r.csv")
    assert found.rows == [("NA", "NA", 1.0), ("b.jpg", "two,\nlines", 2.5)] and found.read == 6
    assert found.left_out == {"no_rating": 2, "no_caption": 1, "no_image": 1}
    without = found.without({"NA": "corrupt_image"})
    assert without.rows == found.rows[1:] and without.left_out == {**found.left_out, "corrupt_image": 1}
    (tmp_path / "r.csv").write_text("image,caption,score\na,x,1\n")
    with pytest.raises(PipelineError, match=r"unreadable ratings in .*r\.csv: no columns named rating"):
        read_ratings(tmp_path / "r.csv")
    with pytest.raises(PipelineError, match="unreadable ratings"):
        read_ratings(tmp_path / "gone.csv")


def test_the_rating_of_a_sheet_is_the_mean_of_its_raters() -> None:
    captions = [Rated("k1", "digest", ["a", "b"], faithful=[3, 0]), Rated("k2", "digest", ["b"], specific=[1])]
    found = ratings_of(Labels(captions, ["me"], 3, Counter(unrated=1)), {("k1", "a"): "text", ("k2", "b"): "x"})
    assert found == Ratings([Rating("k1", "text", 1.5)], 3, Counter(unrated=1, no_rating=1))


def test_ratings_without_a_score_do_not_count() -> None:
    known = pa.array([0.1, None, 0.3, 0.2], pa.float32())
    unknown = [pa.nulls(4, pa.float32())] * 4
    scores = pa.table(
        [pa.array(list("abcd")), pa.nulls(4, pa.uint64()), pa.nulls(4, pa.int16()), known, *unknown], schema(["fit"])
    )
    found = figures(scores, np.array([0.0, 5.0, 1.0, 2.0]), np.arange(4))["fit"]
    assert found["raw"]["tau_b"]["n"] == 3 and found["raw"]["tau_b"]["value"] == pytest.approx(1 / 3)
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert found["centred"]["tau_c"] == found["raw"]["style_control"]["tau_b"] == nothing
