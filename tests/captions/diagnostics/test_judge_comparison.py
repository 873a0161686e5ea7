"""Choices of judges, counted by hand, and the random choice of images."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from workflow_scripts.captions.diagnostics.judge_comparison import Scores, judges, pairs, sample
from workflow_scripts.captions.score_table import KINDS, schema
from workflow_scripts.stats.clustered import share

UNKNOWN = np.nan


def scores(old: list[float], new: list[float]) -> Scores:
    return Scores(np.array([old]), np.array([new]), np.arange(len(old)))


def same(both: Scores) -> dict[str, Scores]:
    return dict.fromkeys(KINDS, both)


def test_shares_counted_by_hand() -> None:
    raw = scores([0, 0, 0, 0, 1, UNKNOWN, 0], [0.3, 0.7, 2, 0, 0, 1, 1])  # gains: .3, .7, 2, 0, -1, unknown, 1
    centred = scores([0, 0, 0, 0, 0, 0, UNKNOWN], [-1, 1, 0, 1, -1, 1, 1])  # gains: -1, 1, 0, 1, -1, 1, unknown
    found = judges({("clip", "cosine"): {"raw": raw, "centred": centred}})["clip"]["cosine"]
    shares = {name: (one["value"], one["n"]) for name, one in found["raw"]["flips_at"].items()}
    assert (found["raw"]["replaced"]["value"], found["raw"]["replaced"]["n"]) == (4 / 6, 6)
    assert shares == {"0.5": (1 / 6, 6), "1": (3 / 6, 6)}
    assert found["centred"]["replaced"]["value"] == 3 / 6
    # Known by both scores: the first five images. Raw: new, new, new, old, old; centred: old, new, old, new, old.
    assert (found["flips_centred"]["value"], found["flips_centred"]["n"]) == (3 / 5, 5)
    assert (found["replaced_by_style"]["value"], found["replaced_by_style"]["n"]) == (2 / 3, 3)


def test_agreement_of_two_judges_by_hand() -> None:
    one = scores([0, 0, 0, 0, UNKNOWN], [1, 2, -1, -2, 5])
    two = scores([0, 0, 0, 0, 0], [3, -1, -2, 4, 1])
    found = pairs({("a", "itm"): same(one), ("a", "itc"): same(two), ("b", "cosine"): same(one)})
    assert list(found) == ["a itm and a itc", "a itm and b cosine", "a itc and b cosine"]
    raw = found["a itm and a itc"]["raw"]
    assert raw["spearman"]["value"] == pytest.approx(stats.spearmanr(one.new[0], two.new[0]).statistic)
    assert raw["spearman"]["n"] == 5 and raw["kappa"]["n"] == raw["flips"]["n"] == 4
    assert raw["kappa"]["value"] == cohen_kappa_score([1, 1, 0, 0], [1, 0, 0, 1]) == 0 and raw["flips"]["value"] == 0.5
    assert found["a itm and b cosine"]["centred"]["kappa"]["value"] == 1


def test_figures_without_common_scores_are_null() -> None:
    nothing = scores([UNKNOWN, 1], [1, UNKNOWN])
    unknown = {"value": None, "low": None, "high": None, "n": 0}
    assert judges({("a", "b"): same(nothing)})["a"]["b"]["replaced_by_style"] == unknown
    found = pairs({("a", "b"): same(nothing), ("c", "d"): same(nothing)})["a b and c d"]["raw"]
    assert found["kappa"] == found["flips"] == unknown and found["spearman"]["value"] is None


def test_the_share_due_to_style_is_clustered_by_random_image() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(20, size=300)
    raw, centred = (Scores(np.zeros((1, 300)), rng.normal(size=(1, 300)), images) for _ in KINDS)
    found = judges({("a", "b"): {"raw": raw, "centred": centred}})["a"]["b"]["replaced_by_style"]
    chosen = raw.new[0] > 0
    assert tuple(found.values())[:3] == share(centred.new[0, chosen] <= 0, images[chosen])


def test_the_share_due_to_style_has_the_error_of_drawing_other_images() -> None:
    rng = np.random.default_rng(0)
    images, raw = np.arange(300), Scores(np.zeros((1, 300)), np.ones((1, 300)), np.arange(300))
    drawn = rng.normal(0.5, 1, (3, 300))
    found = judges({("a", "b"): {"raw": raw, "centred": Scores(np.zeros((1, 300)), drawn, images)}})["a"]["b"]
    whole, *halves = (drawn <= 0).mean(axis=1)
    error = np.sqrt(whole * (1 - whole) / 299)
    simulated = np.sqrt(np.mean((np.array(halves) - whole) ** 2))
    freedom = (error**2 + simulated**2) ** 2 / (error**4 / 299 + simulated**4)
    half = stats.t.ppf(0.975, freedom) * np.hypot(error, simulated)
    share_of_style = found["replaced_by_style"]
    assert (share_of_style["value"], share_of_style["n"]) == (pytest.approx(whole), 300)
    assert (share_of_style["low"], share_of_style["high"]) == pytest.approx((whole - half, whole + half))
    assert found["flips_centred"] == share_of_style  # all raw gains are positive


def table(path: Path, keys: list[str], shift: float, text: int | None = None) -> Path:
    """Scores of a judge ``fit`` that are the number in the key, plus ``shift``, which also tells the captions."""
    values = np.array([float(key) for key in keys]) + shift
    texts = [int(shift) if text is None else text] * len(keys)
    columns = {"key": keys, "text": texts, "random_image": [int(key) % 7 for key in keys]}
    columns |= dict.fromkeys(("fit", "fit_centred", "fit_random", "fit_random_centred"), values)
    columns["fit_halves"] = np.zeros(len(keys))
    pq.write_table(pa.table(columns, schema=schema(["fit"])), path)
    return path


@given(st.integers(1, 40), st.integers(0, 3))
def test_images_that_all_judges_scored_are_drawn_at_random(size: int, seed: int) -> None:
    with TemporaryDirectory() as folder:
        blocks, shared = [], set()
        for block in range(3):
            keys = [str(number) for number in range(10 * block, 10 * block + 10)]
            some = [key for key in keys if int(key) % 3]
            shared |= set(some)
            where = Path(folder) / str(block)
            judged = {"all": keys, "some": some}
            blocks.append(
                {name: [table(Path(f"{where}{name}{n}"), of, n) for n in (0, 1)] for name, of in judged.items()}
            )
        compared, total = sample(blocks, size, seed)
    assert total == len(shared) == 20
    one, two = compared["all", "fit"]["raw"], compared["some", "fit"]["centred"]
    assert len(set(one.old[0])) == one.old.size == min(size, 20) and {f"{value:.0f}" for value in one.old[0]} <= shared
    assert np.array_equal(np.tile(one.old, (3, 1)), two.old) and np.array_equal(one.gain(), np.ones(one.old.shape))
    assert np.array_equal(one.images, one.old[0] % 7)


def test_equal_captions_gain_nothing_though_their_scores_differ_by_rounding(tmp_path: Path) -> None:
    tables = [table(tmp_path / f"{n}", ["1", "2", "3"], 1e-6 * n, text=5) for n in (0, 1)]
    compared, _ = sample([{"judge": tables}], 3, 0)
    assert not compared["judge", "fit"]["raw"].gain().any()
    found = judges(compared)["judge"]["fit"]
    assert found["raw"]["replaced"]["value"] == 0 and found["replaced_by_style"]["n"] == 0


def test_every_image_is_as_likely(tmp_path: Path) -> None:
    blocks = []
    for block, width in enumerate((2, 10)):
        keys = [str(10 * block + number) for number in range(width)]
        blocks.append({"judge": [table(tmp_path / f"{block}-{n}", keys, n) for n in (0, 1)]})
    drawn = np.concatenate([sample(blocks, 4, seed)[0]["judge", "fit"]["raw"].old[0] for seed in range(300)])
    assert stats.chisquare(np.unique(drawn, return_counts=True)[1]).pvalue > 0.001 and len(drawn) == 1200
