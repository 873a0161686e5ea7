"""The summary's numbers by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest

from tests.captions.diagnostics.measured import summarised
from workflow_scripts.captions.diagnostics import summary
from workflow_scripts.stats.intervals import share_figure


def test_summary_of_a_small_arm(tmp_path: Path) -> None:
    captions = ["wow", "wow", "", "", "a red cat on the green grass"]
    known = {"itm": [1.0, -1.0, None, 2.0, 3.0], "retrieval_rank": [1.0, 3.0, None, None, 6.0]}
    known["above_subreddit"] = [1.0, 0.5, None, None, 0.0]
    table = summarised(tmp_path, captions, **known)
    origins = pa.array(["original", "original", "original", "original", "generated"])
    table = table.set_column(table.column_names.index("origin"), "origin", origins)
    got = summary.summarise(table)
    assert got["shares"]["empty"]["value"] == 0.4
    assert got["shares"]["repeated"] == got["shares"]["near_duplicate"] == got["shares"]["short"] == share_figure(2, 3)
    assert (got["words"]["n"], got["words"]["mean"]) == (3, 3)  # those that are not empty
    assert got["origin"]["generated"]["value"] == 0.2
    assert got["shares"]["truncated"]["value"] == 0
    assert (got["above_subreddit"]["value"], got["above_subreddit"]["n"]) == (0.5, 3)
    assert got["above_random"] == {"value": None, "low": None, "high": None, "n": 0}
    assert got["itm"]["original"]["n"] == 3
    assert got["itm"]["original"]["unknown"] == 1
    assert got["itm"]["original"]["match"]["value"] == pytest.approx(2 / 3)
    assert got["language"]["english"] == share_figure(1, 1)
    assert got["retrieval"]["median_rank"] == 3
    assert got["retrieval"]["median_rank_by_chance"] == 2
    assert got["retrieval"]["recall_at_1"]["value"] == pytest.approx(1 / 3)
    assert got["retrieval"]["recall_at_5"]["value"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 10), (500, 752)])
def test_the_wilson_interval_of_a_share_equals_scipy(hits: int, count: int) -> None:
    flags = np.arange(count) < hits
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    got = summary.share(flags)
    assert (got["low"], got["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_summary_without_captions_is_null(tmp_path: Path) -> None:
    got = summary.summarise(summarised(tmp_path, []))
    assert got["captions"] == 0
    assert got["shares"]["vague"] == {"value": None, "low": None, "high": None, "n": 0}
    assert got["retrieval"] == {"n": 0}
