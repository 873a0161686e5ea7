"""Examples and scores of captions, and agreement of pair tables."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.fake_data import N, images, key
from tests.reporting.fake_scores import scores
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.sections.captions import caption_lines, chosen_strata, judge_scores, scored_by_all
from workflow_scripts.reporting.sections.data import Row, agreement, shared_sources
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import Source, Study, sample_positions
from workflow_scripts.stats.intervals import wilson

SOURCE = Source("pair_table/a.parquet", "abcdef0123", "a-1")
KEYS = [key(at) for at in range(N)]  # images with an odd number are in shard 1
SETTINGS = Report(study="fake", captions_of={}, headline_step="last")


def partners(**target: str) -> dict[str, Row]:
    return {key: {"target": value} for key, value in target.items()}


def test_share_of_images_with_the_same_partner() -> None:
    first, second = partners(k0="x", k1="y", k2="z", k3="x"), partners(k0="x", k1="x", k2="z", k9="x")
    tables = [first, second, partners(k7="x")]
    (one, _, (with_first,)), (two, _, with_others) = agreement("abc", tables, [SOURCE] * 3)
    assert (one, two) == ("b", "c")
    assert with_first.text == "66.67"
    assert with_first.interval == "[{:.2f}, {:.2f}]".format(*(100 * end for end in wilson(2 / 3, 3)[1:]))
    assert with_first.title.endswith("same first partner as in a, n = 3")
    assert [cell.text for cell in with_others] == ["—", "—"]


@pytest.mark.parametrize("names", ["", "a"])
def test_fewer_than_two_pair_tables_give_no_agreement(names: str) -> None:
    assert agreement(names, [partners(k0="x")], [SOURCE]) == []


def test_examples_are_drawn_from_the_stated_strata() -> None:
    gain = np.random.default_rng(0).permutation(1000).astype(float)
    chosen = chosen_strata(gain, 1, 4)
    assert all(len(chosen[name]) == 4 for name in ("worst", "typical", "best"))
    assert all(gain[at] < 50 for at in chosen["worst"])
    assert all(450 <= gain[at] < 550 for at in chosen["typical"])
    assert all(gain[at] >= 950 for at in chosen["best"])
    assert chosen == chosen_strata(gain, 1, 4) and chosen != chosen_strata(gain, 2, 4)


@given(st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan"))), max_size=30), st.integers(1, 5))
def test_examples_show_no_image_twice_and_none_without_scores(gains: list[float], each: int) -> None:
    chosen = chosen_strata(np.array(gains, dtype=float), 0, each)
    everyone = [at for some in chosen.values() for at in some]
    assert len(everyone) == len(set(everyone))
    assert all(np.isfinite(gains[at]) for at in everyone)
    assert not any(np.isfinite(gains)) or everyone


def test_the_best_generated_caption_is_shown_with_the_arms_that_chose_it() -> None:
    row = {"original": "old", "itm_original": -1.0, "generated": ["a", "b"], "itm_generated": [0.5, 2.0]}
    arms = {
        "original": {"caption": "old", "origin": "original", "itm": -1.0},
        "revised": {"caption": "b", "origin": "generated", "itm": 2.0},
        "shuffled": {"caption": "old", "origin": "shuffled", "itm": None},
        "again": {"caption": "old", "origin": "shuffled", "itm": None},
    }
    first, second, third = caption_lines(row, arms)
    assert (first["text"], first["itm"], first["chosen_by"]) == ("old", -1.0, ["original"])
    assert (second["text"], second["itm"], second["chosen_by"]) == ("b", 2.0, ["revised"])
    assert (third["origin"], third["text"], third["itm"], third["chosen_by"]) == (
        "shuffled",
        "old",
        None,
        ["shuffled", "again"],
    )
    assert len(caption_lines({**row, "generated": []}, {})) == 1


def test_sources_with_pairs_in_all_tables_come_first() -> None:
    tables = [{"a": {}, "b": {}}, {"b": {}, "c": {}}]
    assert shared_sources(["d", "a", "b", "c"], tables, 3) == ["b", "a", "c"]


def test_samples_are_seeded_sorted_and_distinct() -> None:
    found = sample_positions(10_000, 50, 3, "x")
    assert found == sorted(set(found)) and len(found) == 50 and found == sample_positions(10_000, 50, 3, "x")
    assert sample_positions(3, 50, 3, "x") == [0, 1, 2]


def made(folder: Path, **keys: list[str]) -> Study:
    """A study whose judge scored the given images of each arm; the table of the second shard's block is damaged."""
    found = [Artifact(scores(folder, arm, some, "00000-00000")) for arm, some in keys.items()]
    damaged = Artifact(scores(folder, next(iter(keys)), KEYS[1::2], "00001-00001"))
    damaged.path(".parquet").write_bytes(b"")
    return Study({"images": [Artifact(images(folder))]}, SETTINGS, [*found, damaged])


def test_only_the_blocks_of_shown_images_are_read(tmp_path: Path) -> None:
    study = made(tmp_path, original=[KEYS[0], KEYS[2]], shuffled=[KEYS[4]])
    found = judge_scores(study, [KEYS[0], KEYS[2], KEYS[4], KEYS[6]])
    assert set(found) == {("original", KEYS[0]), ("original", KEYS[2]), ("shuffled", KEYS[4])}
    assert [(name, number.text, number.interval) for name, number in found["original", KEYS[2]]] == [
        ("clip cosine", "0.250", "(1.500)")
    ]
    assert judge_scores(study, []) == {}


def test_only_images_scored_by_every_judge_are_selected(tmp_path: Path) -> None:
    tables = [
        Artifact(scores(tmp_path, "original", some, "00000-00001", judge))
        for judge, some in (("clip", KEYS[:4]), ("siglip", KEYS[2:6]))
    ]
    assert scored_by_all(Study({}, SETTINGS, tables), KEYS) == set(KEYS[2:4])
    assert scored_by_all(Study({}, SETTINGS), KEYS) == set(KEYS)
