"""Per-caption columns."""

import numpy as np
import pyarrow as pa

from workflow_scripts.captions.diagnostics.caption_statistics import describe, identify, word_codes


def test_columns() -> None:
    captions = ["a red cat on the green grass", "", "wow", "wow", "ein kleiner Hund schläft im Garten unter dem Baum"]
    table, codes = describe(pa.chunked_array([captions[:2], captions[2:]]), short_words=4)
    assert table["words"].to_pylist() == [7, 0, 1, 1, 9]
    assert table["characters"].to_pylist() == [len(c) for c in captions]
    assert table["empty"].to_pylist() == [False, True, False, False, False]
    assert table["short"].to_pylist() == [False, True, True, True, False]
    assert table["repeats"].to_pylist() == [1, 1, 2, 2, 1]
    assert table["vague"].to_pylist() == [False, True, True, True, False]
    assert table["language"].to_pylist()[0] == "en"
    assert table["language"].to_pylist()[1] is None
    assert table["language"].to_pylist()[4] == "de"
    assert table["language_probability"].to_pylist()[4] > 0.5
    assert len(codes) == 18
    assert codes[7] == codes[8]


def test_language_probability_is_a_probability() -> None:
    for _, probability in identify(["the quick brown fox jumps", "un chat noir dort", "x"]):
        assert probability is not None
        assert 0 < probability <= 1.0001


def test_word_codes_follow_row_order() -> None:
    codes = word_codes([["a", "b"], [], ["b"]], np.array([2, 0, 1, 2]))
    assert codes.tolist() == [1, 0, 1, 1]
