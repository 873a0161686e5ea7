"""Per-caption columns."""

from pathlib import Path

import numpy as np
import pytest

from tests.captions.diagnostics.measured import columns
from workflow_scripts.captions.diagnostics.objects import Labelled


def test_caption_statistics_have_the_expected_columns(tmp_path: Path) -> None:
    captions = ["a red cat on the green grass", "", "wow", "wow", "ein kleiner Hund schläft im Garten unter dem Baum"]
    table = columns(tmp_path, captions)
    assert table["words"].to_pylist() == [7, None, 1, 1, 9]
    assert table["characters"].to_pylist() == [28, None, 3, 3, 49]
    assert table["empty"].to_pylist() == [False, True, False, False, False]
    assert table["short"].to_pylist() == [False, None, True, True, False]
    assert table["repeats"].to_pylist() == [1, 1, 2, 2, 1]
    assert table["near_duplicate"].to_pylist() == [False, None, True, True, False]
    assert table["vague"].to_pylist() == [False, None, True, True, False]
    assert table["truncated"].to_pylist() == [False, None, False, False, True]
    assert table["language"].to_pylist()[0] == "en"
    assert table["language"].to_pylist()[1] is None
    assert table["language"].to_pylist()[4] == "de"


def test_kept_details_and_absent_objects_by_hand(tmp_path: Path) -> None:
    originals = ["my dog rex in utrecht", "rex the dog, 2019", "so happy", "the dog"]
    captions = ["a dog in Utrecht", "a dog on two boats", "a dog", "grass"]
    objects = {"0": {"dog"}, "1": {"dog"}, "2": {"hot air balloon"}}
    table = columns(tmp_path, captions, originals, Labelled(objects, {"dog", "boat", "hot air balloon"}))
    # "rex" and "dog" are in more than one original; "utrecht" is rare; "2019" has digits.
    assert table["details_kept"].to_pylist() == [1.0, 0.0, None, None]
    assert table["named_objects"].to_pylist() == [1, 2, 1, None]  # the objects of the last image are not known
    assert table["absent_objects"].to_pylist() == [0, 1, 1, None]
    assert columns(tmp_path, captions, originals)["absent_objects"].null_count == 4


def test_specificity_uses_word_frequencies_of_the_original_captions(tmp_path: Path) -> None:
    table = columns(tmp_path, ["the dog", "a heron", "wow"], ["the dog", "a dog", "the heron"])
    rare, common = np.log(4 / 2), np.log(4 / 3)
    assert table["specificity"].to_pylist() == [pytest.approx(common), pytest.approx(rare), None]


@pytest.mark.parametrize("batch", [1, 2, 65_536])
def test_batches_change_nothing(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions = ["wow", "a red cat on the green grass", "wow", "", "a red cat on green grass"]
    whole = columns(tmp_path, captions)
    monkeypatch.setattr("workflow_scripts.captions.diagnostics.reading.BATCH", batch)
    assert columns(tmp_path, captions).combine_chunks() == whole.combine_chunks()
