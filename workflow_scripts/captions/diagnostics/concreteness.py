"""How concrete a caption's words are, by ratings of people."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from workflow_scripts.captions.diagnostics.words import is_content
from workflow_scripts.core.files.foreign import batches, check_columns, readable

WORD, RATING = "Word", "Conc.M"
KINDS = {WORD: pa.string(), RATING: pa.float64()}
LEAST, MOST = 1.0, 5.0


class Concreteness:
    """Ratings of words from 1 (abstract) to 5 (concrete); none if they are unknown.

    Source: Brysbaert, Warriner and Kuperman 2014, Behavior Research Methods 46:904. They rated lemmas, so a word that
    is not rated has the rating of the word without its ending s or es.
    """

    def __init__(self, ratings: Mapping[str, float]) -> None:
        self._ratings = ratings

    def rating(self, word: str) -> float | None:
        """The rating of a word in lower case; None if it has none."""
        forms = (word, word.removesuffix("s"), word.removesuffix("es"))
        return next((self._ratings[form] for form in forms if form in self._ratings), None)

    def describe(self, words: Sequence[str]) -> tuple[float | None, float | None]:
        """Mean rating of a caption's rated content words, and their share of its content words; None without any."""
        content = [word for word in words if is_content(word)] if self._ratings else []
        rated = [rating for word in content if (rating := self.rating(word)) is not None]
        return (sum(rated) / len(rated) if rated else None), (len(rated) / len(content) if content else None)


UNRATED = Concreteness({})


def read_concreteness(path: Path) -> Concreteness:
    """Ratings from a CSV, tab-separated or parquet file with the columns Word and Conc.M; others are ignored.

    Words that differ only in capitals share their mean rating.

    Raises:
        PipelineError: the file is missing or damaged, lacks a column, or has a rating that is no number from 1 to 5.
    """
    advice = f"give the table of Brysbaert et al. (2014) as CSV or parquet, with the columns {WORD} and {RATING}"
    with readable("unreadable concreteness ratings", path, advice):
        with open(path, "rb") as stream:
            head = stream.readline(1 << 16)
        if head.startswith(b"PAR1"):
            table = pa.Table.from_batches(batches(path, KINDS), pa.schema(list(KINDS.items())))
        else:
            parse = csv.ParseOptions(delimiter="\t" if b"\t" in head else ",")
            check_columns(csv.open_csv(path, parse_options=parse).schema, KINDS)
            convert = csv.ConvertOptions(column_types=KINDS, include_columns=list(KINDS))
            table = csv.read_csv(path, parse_options=parse, convert_options=convert)
        values = table[RATING].fill_null(np.nan).to_numpy()
        wrong = np.flatnonzero(~((values >= LEAST) & (values <= MOST)))
        if len(wrong) or not len(values):
            value = f"{values[wrong[0]]} in row {wrong[0] + 1}" if len(wrong) else "no rows"
            raise ValueError(f"column {RATING} has {value}; it must hold numbers from 1 to 5")
    words = pc.utf8_lower(pc.fill_null(table[WORD], ""))
    means = pa.table({"word": words, "rating": table[RATING]}).group_by("word").aggregate([("rating", "mean")])
    return Concreteness(dict(zip(means["word"].to_pylist(), means["rating_mean"].to_pylist(), strict=True)))
