"""Ratings of words."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_files import refused
from tests.captions.diagnostics.measured import columns
from workflow_scripts.captions.diagnostics.concreteness import read_concreteness
from workflow_scripts.core.errors import PipelineError

ROWS = [("cat", 4.86), ("Idea", 1.61), ("idea", 1.81), ("null", 2.0), ("box", 4.9), ("zip code", 3.9)]


def written(folder: Path, kind: str) -> Path:
    path = folder / "ratings"
    if kind == "parquet":
        words, means = zip(*ROWS, strict=True)
        pq.write_table(pa.table({"Bigram": [0] * 6, "Conc.M": means, "Word": words}), path)
        return path
    mark = {"csv": ",", "tsv": "\t"}[kind]
    lines = [mark.join(("Word", "Bigram", "Conc.M")), *(mark.join((word, "0", str(mean))) for word, mean in ROWS)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_concreteness_ratings_of_words_are_looked_up(kind: str, tmp_path: Path) -> None:
    ratings = read_concreteness(written(tmp_path, kind))
    assert ratings.rating("cat") == ratings.rating("cats") == 4.86
    assert ratings.rating("boxes") == 4.9 and ratings.rating("null") == 2.0
    assert ratings.rating("idea") == pytest.approx(1.71)  # the mean of both spellings
    assert ratings.rating("dog") is None and ratings.rating("s") is None


def test_concreteness_columns_by_hand(tmp_path: Path) -> None:
    captions = ["the cat has an idea", "two cats in boxes", "a heron", "it is my best one", ""]
    table, _ = columns(tmp_path, captions, concreteness=read_concreteness(written(tmp_path, "csv")))
    assert table["concreteness"].to_pylist() == pytest.approx([(4.86 + 1.71) / 2, 4.88, None, None, None])
    assert table["rated_words"].to_pylist() == [1.0, 1.0, 0.0, None, None]
    unknown, _ = columns(tmp_path, captions)
    assert unknown["concreteness"].null_count == unknown["rated_words"].null_count == 5


test_unusable_ratings = refused(
    read_concreteness,
    PipelineError,
    [
        ("Word,Mean\ncat,4\n", "no columns named Conc.M; the columns are Word, Mean"),
        ("Word,Conc.M\ncat,4\ndog,6.2\n", "column Conc.M has 6.2 in row 2; it must hold numbers from 1 to 5"),
        ("Word,Conc.M\ncat,\n", "column Conc.M has nan in row 1"),
        ("Word,Conc.M\n", "column Conc.M has no rows"),
        ("Word,Conc.M\ncat,high\n", "conversion error"),
        ("", "[Ee]mpty"),
    ],
)
