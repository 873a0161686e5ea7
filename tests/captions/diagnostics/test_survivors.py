"""Figures of kept and lost rows against scipy, from the captions themselves."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from workflow_scripts.captions.diagnostics.survivors import FIGURES, survivors

KEPT = [
    "my red cat asleep on a chair",
    "a robin on a branch in the snow",
    "found this",
    "#birds at www.birds.org today",
]
LOST = ["so cute", "", "look what I got today", "oak", "nice", "a very old oak near the river, with moss on its bark"]


def shard(path: Path, rows: list[tuple[str, str]]) -> Path:
    pq.write_table(pa.table({"caption": [text for text, _ in rows], "state": [state for _, state in rows]}), path)
    return path


def test_kept_and_lost_captions_are_compared_by_welch_and_newcombe(tmp_path: Path) -> None:
    rows = [
        *((text, "ok") for text in KEPT),
        *((text, "http_4xx" if at % 2 else "timeout") for at, text in enumerate(LOST)),
    ]
    found = survivors([shard(tmp_path / "0", rows[1::2]), shard(tmp_path / "1", []), shard(tmp_path / "2", rows[::2])])
    assert tuple(found) == FIGURES
    lengths = [[len(text) for text in texts] for texts in (KEPT, LOST)]
    test = stats.ttest_ind(*lengths, equal_var=False)
    figure = found["characters"]
    assert (figure["kept"]["value"], figure["lost"]["value"]) == pytest.approx(tuple(map(np.mean, lengths)))
    assert (figure["kept"]["n"], figure["lost"]["n"], figure["difference"]["n"]) == (4, 6, 10)
    ends = figure["difference"]["low"], figure["difference"]["high"]
    assert ends == pytest.approx(tuple(test.confidence_interval(0.95)))
    alone = stats.ttest_1samp(lengths[1], 0).confidence_interval(0.95)
    assert (figure["lost"]["low"], figure["lost"]["high"]) == pytest.approx(tuple(alone))
    shares = {name: (found[name]["kept"]["value"], found[name]["lost"]["value"]) for name in FIGURES[2:]}
    assert shares == {
        "short": (0.25, pytest.approx(4 / 6)),
        "vague": (0.25, pytest.approx(4 / 6)),
        "first_person": (0.25, pytest.approx(1 / 6)),
        "hashtag": (0.25, 0),
        "url": (0.25, 0),
    }
    kept, lost = (
        stats.binomtest(1, 4).proportion_ci(method="wilson"),
        stats.binomtest(0, 6).proportion_ci(method="wilson"),
    )
    assert (found["url"]["lost"]["low"], found["url"]["lost"]["high"]) == pytest.approx((lost.low, lost.high))
    below, above = np.hypot(0.25 - kept.low, lost.high), kept.high - 0.25
    url = found["url"]["difference"]
    assert (url["low"], url["high"]) == pytest.approx((0.25 - below, 0.25 + above))


def test_nothing_is_said_without_several_rows_of_both_kinds(tmp_path: Path) -> None:
    assert survivors([shard(tmp_path / "0", [("a", "ok"), ("b", "ok"), ("c", "timeout")])]) == {}
    assert survivors([]) == {}
