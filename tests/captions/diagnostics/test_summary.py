"""The summary's numbers by hand."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest

from workflow_scripts.captions.diagnostics import summary
from workflow_scripts.captions.diagnostics.caption_statistics import describe


def test_summary_of_a_small_arm() -> None:
    captions = ["wow", "wow", "", "", "a red cat on the green grass"]
    columns, codes = describe(pa.chunked_array([captions]), 4)
    table = (
        columns.append_column("origin", pa.array(["original", "original", "original", "original", "generated"]))
        .append_column("itm", pa.array([1.0, -1.0, None, 2.0, 3.0], pa.float32()))
        .append_column("retrieval_rank", pa.array([1.0, 3.0, None, None, 6.0], pa.float32()))
    )
    got = summary.summarise(table, codes, 500)
    assert got["shares"]["empty"]["value"] == 0.4
    assert got["shares"]["repeated"]["value"] == 0.4  # empty captions are not repeats of one another
    assert got["origin"]["generated"]["value"] == 0.2
    assert got["vocabulary"] == 8
    assert got["tokens"] == 9
    assert got["itm"]["original"]["n"] == 3
    assert got["itm"]["original"]["unknown"] == 1
    assert got["itm"]["original"]["match"]["value"] == pytest.approx(2 / 3)
    assert got["language"]["english"] == {**summary.share_of(1, 1)}
    assert got["retrieval"]["median_rank"] == 3
    assert got["retrieval"]["median_rank_by_chance"] == 2
    assert got["retrieval"]["recall_at_1"]["value"] == pytest.approx(1 / 3)
    assert got["retrieval"]["recall_at_5"]["value"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (3, 10), (500, 752)])
def test_share_has_the_wilson_interval_of_scipy(hits: int, count: int) -> None:
    flags = np.arange(count) < hits
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    got = summary.share(flags)
    assert (got["low"], got["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_captions() -> None:
    columns, codes = describe(pa.chunked_array([pa.array([], pa.string())]), 4)
    none = pa.array([], pa.float32())
    table = columns.append_column("origin", pa.array([], pa.string())).append_column("itm", none)
    got = summary.summarise(table.append_column("retrieval_rank", none), codes, 500)
    assert got["captions"] == 0
    assert got["shares"]["vague"] == {"value": None, "low": None, "high": None, "n": 0}
    assert got["retrieval"] == {"n": 0}
