"""Choice of examples: seeded, inside the stated strata, shared across arms."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.reporting.sections.examples import (
    STRATA,
    caption_lines,
    sample_positions,
    shared_examples,
    shared_sources,
    strata,
)


def test_strata_lie_where_the_page_says() -> None:
    gain = np.random.default_rng(0).permutation(1000).astype(float)
    chosen = strata(gain, 1, 4)
    assert all(len(chosen[name]) == 4 for name in STRATA)
    assert all(gain[at] < 50 for at in chosen["worst"])
    assert all(450 <= gain[at] < 550 for at in chosen["typical"])
    assert all(gain[at] >= 950 for at in chosen["best"])
    assert chosen == strata(gain, 1, 4) and chosen != strata(gain, 2, 4)


@given(st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan"))), max_size=30), st.integers(1, 5))
def test_no_image_twice_and_none_without_scores(gains: list[float], each: int) -> None:
    chosen = strata(np.array(gains, dtype=float), 0, each)
    everyone = [at for some in chosen.values() for at in some]
    assert len(everyone) == len(set(everyone))
    assert all(np.isfinite(gains[at]) for at in everyone)
    assert not any(np.isfinite(gains)) or everyone


def test_the_best_generated_caption_is_shown_with_who_chose_it() -> None:
    row = {"original": "old", "itm_original": -1.0, "generated": ["a", "b"], "itm_generated": [0.5, 2.0]}
    arms = {
        "original": {"caption": "old", "origin": "original", "itm": -1.0},
        "revised": {"caption": "b", "origin": "generated", "itm": 2.0},
        "shuffled": {"caption": "old", "origin": "shuffled", "itm": None},
        "again": {"caption": "old", "origin": "shuffled", "itm": None},
    }
    first, second, third = caption_lines(row, arms)
    assert (first.text, first.itm, first.chosen_by) == ("old", -1.0, ["original"])
    assert (second.text, second.itm, second.chosen_by) == ("b", 2.0, ["revised"])
    assert (third.origin, third.text, third.itm, third.chosen_by) == ("shuffled", "old", None, ["shuffled", "again"])
    assert len(caption_lines({**row, "generated": []}, {})) == 1


def test_sources_with_pairs_in_all_tables_come_first() -> None:
    tables = [{"a": {}, "b": {}}, {"b": {}, "c": {}}]
    assert shared_sources(["d", "a", "b", "c"], tables, 3) == ["b", "a", "c"]


def test_only_examples_that_every_run_stored_are_shown() -> None:
    assert shared_examples([{("d", "x"): 0, ("d", "y"): 1}, {("d", "y"): 0}], 5) == [("d", "y")]
    assert shared_examples([], 5) == []


def test_samples_are_seeded_sorted_and_distinct() -> None:
    found = sample_positions(10_000, 50, 3, "x")
    assert found == sorted(set(found)) and len(found) == 50 and found == sample_positions(10_000, 50, 3, "x")
    assert sample_positions(3, 50, 3, "x") == [0, 1, 2]
