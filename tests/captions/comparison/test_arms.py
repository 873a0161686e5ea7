"""Figures of arms and their paired differences against scipy."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from workflow_scripts.captions.comparison import arms, variety
from workflow_scripts.captions.comparison.figures import FIGURES
from workflow_scripts.captions.diagnostics import summary


def without_captions(folder: Path, captions: Mapping[str, int], images: int) -> dict[str, Path]:
    """Arm -> table that says that only its first images have a caption."""
    tables = {arm: folder / f"{arm}.empty.parquet" for arm in captions}
    for arm, path in tables.items():
        pq.write_table(pa.table({"empty": np.arange(images) >= captions[arm]}), path)
    return tables


def test_means_shares_and_paired_differences() -> None:
    rng = np.random.default_rng(0)
    values = {"original": rng.normal(size=50), "generated": rng.normal(size=50), "unknown": np.full(50, np.nan)}
    values["generated"][:10] = np.nan
    found = arms.against(values.get, list(values), "original", FIGURES["itm"])
    assert list(found) == ["original", "generated"] and "difference" not in found["original"]
    own, base = values["generated"][10:], values["original"][10:]
    low, high = stats.ttest_1samp(own, 0).confidence_interval()
    assert (found["generated"]["low"], found["generated"]["high"]) == (pytest.approx(low), pytest.approx(high))
    low, high = stats.ttest_rel(own, base).confidence_interval()
    difference = found["generated"]["difference"]
    assert (difference["low"], difference["high"]) == (pytest.approx(low), pytest.approx(high))
    assert (difference["value"], difference["n"]) == (pytest.approx((own - base).mean()), 40)
    assert "difference" not in arms.against(values.get, list(values), "original", FIGURES["details_kept"])["generated"]
    assert "difference" not in arms.against(values.get, list(values), None, FIGURES["itm"])["generated"]


def test_flags_have_wilson_intervals() -> None:
    flags = {"original": np.arange(20) < 3, "revised": np.arange(20) < 5}
    found = arms.against(flags.get, list(flags), "original", FIGURES["vague"])["revised"]
    expected = stats.binomtest(5, 20).proportion_ci(method="wilson")
    assert (found["low"], found["high"]) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found["difference"]["value"] == pytest.approx(0.1)


def test_arms_are_compared_by_columns_of_their_tables(tmp_path: Path) -> None:
    def table(arm: str, words: list[int], languages: list[str | None], repeats: list[int]) -> None:
        flags = ("short", "truncated", "vague", "first_person", "hashtag")
        columns = {name: pa.array([False] * 3 + [None]) for name in flags}
        columns |= {"words": pa.array(words), "language": pa.array(languages, pa.string()), "url": pa.array([True] * 4)}
        columns |= {"repeats": pa.array(repeats), "empty": pa.array([False, False, False, True])}
        columns |= {"near_duplicate": pa.array([True, False, None, None])}
        for figure in FIGURES.values():
            columns |= {name: pa.nulls(4, pa.float32()) for name in figure.columns if name not in columns}
        pq.write_table(pa.table(columns), tmp_path / f"{arm}.parquet")

    table("original", [1, 2, 3, 4], ["en", "de", "en", None], [1, 2, 2, 9])
    table("revised", [3, 2, 3, 4], ["en", "en", "en", None], [1, 1, 1, 9])
    found = arms.of_columns({arm: tmp_path / f"{arm}.parquet" for arm in ("original", "revised")}, "original")
    assert found["words"]["revised"]["value"] == 3 and found["words"]["revised"]["difference"]["value"] == 0.5
    assert found["english"]["original"]["value"] == pytest.approx(2 / 3) and found["english"]["original"]["n"] == 3
    assert found["english"]["revised"]["high"] == 1  # a share, though not of all captions
    assert found["repeated"]["original"]["value"] == pytest.approx(2 / 3) and found["repeated"]["revised"]["value"] == 0
    assert found["near_duplicate"]["original"]["n"] == 2
    assert found["url"]["revised"]["value"] == 1 and found["specificity"] == {}
    assert set(found) == {name for name, figure in FIGURES.items() if figure.columns}


def test_word_variety_is_compared_within_the_same_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORD_IMAGES", 3), ("GRAMS", 4)):
        monkeypatch.setattr(variety, name, value)
    texts = {"original": [f"word{row} and word{row + 1}" for row in range(9)], "revised": ["a red cat"] * 9}
    for arm, captions in texts.items():
        pq.write_table(pa.table({"caption": captions}), tmp_path / f"{arm}.parquet")
    files = {arm: tmp_path / f"{arm}.parquet" for arm in texts}
    found = arms.of_words(files, without_captions(tmp_path, dict.fromkeys(texts, 9), 9), "original", 0)
    assert found["distinct_2"]["original"]["value"] == 1 and found["distinct_2"]["original"]["n"] == 3
    assert found["distinct_2"]["revised"]["value"] == 0.5  # "a red", "red cat", twice each
    assert found["distinct_2"]["revised"]["difference"]["value"] == -0.5
    assert found["distinct_3"] == {}  # a block has three triples


def test_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variety, "VECTOR_IMAGES", 4)
    np.save(tmp_path / "original.npy", np.eye(12, dtype=np.float32))
    np.save(tmp_path / "revised.npy", np.tile(np.eye(12, dtype=np.float32)[0], (12, 1)))
    files = {arm: tmp_path / f"{arm}.npy" for arm in ("original", "revised")}
    given = {"minilm": files, "mpnet": {"revised": files["revised"]}}
    found = arms.of_vectors(given, without_captions(tmp_path, dict.fromkeys(files, 12), 12), "original", 0)
    assert found["vendi.minilm"]["original"]["value"] == pytest.approx(4)
    assert found["vendi.minilm"]["revised"]["difference"]["value"] == pytest.approx(-3)
    assert found["near_vectors.minilm"]["revised"]["value"] == 1
    assert "difference" not in found["vendi.mpnet"]["revised"]
    few = without_captions(tmp_path, {"original": 12, "revised": 8}, 12)
    found = arms.of_vectors(given, few, "original", 0)["vendi.minilm"]
    assert found["original"]["n"] == found["revised"]["difference"]["n"] == 2, "blocks of images with both captions"
    fewer = without_captions(tmp_path, {"original": 12, "revised": 5}, 12)
    assert list(arms.of_vectors(given, fewer, "original", 0)["vendi.minilm"]) == ["original"]


def test_shares_of_captions_truncated_by_encoders_are_compared(tmp_path: Path) -> None:
    np.save(tmp_path / "original.npy", np.arange(20) < 3)
    np.save(tmp_path / "revised.npy", np.arange(20) < 1)
    files = {arm: tmp_path / f"{arm}.npy" for arm in ("original", "revised")}
    empty = without_captions(tmp_path, {"original": 20, "revised": 10}, 20)
    found = arms.of_encoders({"minilm": files, "mpnet": {"revised": files["revised"]}}, empty, "original")
    original, revised = (found["encoder_truncated.minilm"][arm] for arm in files)
    expected = stats.binomtest(3, 20).proportion_ci(method="wilson")
    assert (original["value"], original["low"], original["high"]) == pytest.approx((0.15, expected.low, expected.high))
    low, high = stats.ttest_rel(1.0 * (np.arange(10) < 1), 1.0 * (np.arange(10) < 3)).confidence_interval()
    difference = revised["difference"]
    assert (revised["value"], revised["n"]) == (0.1, 10)  # the others have no caption
    assert (difference["value"], difference["low"], difference["high"]) == pytest.approx((-0.2, low, high))
    assert "difference" not in found["encoder_truncated.mpnet"]["revised"]


def test_absent_objects_are_compared_as_a_share_of_named_objects(tmp_path: Path) -> None:
    named = {"original": [2, 0, 3, 1, None, 1], "revised": [1, 1, 2, 0, None, 4], "vague": [0, 0, 0, 0, None, 0]}
    absent = {"original": [1, 0, 1, 1, None, 0], "revised": [0, 0, 1, 0, None, 1], "vague": [0, 0, 0, 0, None, 0]}
    named["fewer"], absent["fewer"] = [2, 0, None, 1, None, None], [1, 0, None, 0, None, None]  # images without caption
    for arm in named:
        columns = {
            "named_objects": pa.array(named[arm], pa.int32()),
            "absent_objects": pa.array(absent[arm], pa.int32()),
        }
        pq.write_table(pa.table(columns), tmp_path / f"{arm}.parquet")
    found = arms.of_objects({arm: tmp_path / f"{arm}.parquet" for arm in named}, "original")["absent_objects"]
    assert list(found) == ["original", "revised", "fewer"] and "difference" not in found["original"]
    fewer = found["fewer"]["difference"]
    assert (found["fewer"]["value"], fewer["value"], fewer["n"]) == (pytest.approx(1 / 3), pytest.approx(-1 / 3), 3)
    revised, difference = found["revised"], found["revised"]["difference"]
    assert (revised["value"], revised["n"]) == (pytest.approx(2 / 8), 8)
    assert (difference["value"], difference["n"]) == (pytest.approx(2 / 8 - 3 / 7), 5)
    # The jackknife, an independent route to the same large-sample variance, on many copies of these images.
    hits, sizes = (np.array([one for one in values if one is not None] * 400) for values in (absent["revised"],
                   named["revised"]))  # fmt: skip
    without = (hits.sum() - hits) / (sizes.sum() - sizes)
    count = len(hits)
    deviation = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    one = summary.ratio(hits, sizes)
    assert one["high"] - one["low"] == pytest.approx(2 * stats.t.ppf(0.975, count - 1) * deviation, rel=1e-3)


def test_ratios_of_0_and_1_have_wilson_intervals() -> None:
    expected = stats.binomtest(0, 2).proportion_ci(method="wilson")
    nothing = summary.ratio(np.array([0, 0, 0]), np.array([3, 0, 1]))
    assert (nothing["value"], nothing["low"], nothing["n"]) == (0.0, pytest.approx(expected.low), 4)
    assert nothing["high"] == pytest.approx(expected.high)
    assert summary.ratio(np.array([2, 1]), np.array([2, 1]))["value"] == 1.0
    assert summary.ratio(np.array([0]), np.array([0])) == {"value": None, "low": None, "high": None, "n": 0}
