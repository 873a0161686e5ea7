"""Text diagnostics of real RedCaps captions against those of human captions of photos, and both computed otherwise.

    python -m tests.bench.bench_captions REDCAPS.zip PHOTOS ENCODER

PHOTOS is a folder with captions.parquet (column captions: several of each photo); ENCODER the folder of a sentence
encoder with BERT's tokenizer, as all-MiniLM-L6-v2 has, which is that of BLIP-2's matcher. Needs datasketch and
lingua-language-detector.

Prints JSON lines: seconds and peak memory of all diagnostics of RedCaps' captions; each figure of both sets with 95 %
intervals and the difference (Welch), of one caption of each photo; repeated captions and near duplicates in random
samples of RedCaps, as large as the set of photos (mean, smallest, largest); and each figure again by scikit-learn,
pandas, scipy or datasketch (ours, baseline, ratio), the language of a sample by lingua, which has another model.
Specificity is measured twice: among RedCaps' captions, and among the other captions of the photos. Captions are taken
as independent.
"""

import json
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from tests.bench import other_captions
from workflow_scripts.captions.comparison.figures import FIGURES
from workflow_scripts.captions.comparison.variety import VECTOR_BLOCKS, VECTOR_IMAGES, blocks, vendi, word_variety
from workflow_scripts.captions.diagnostics.columns import Measures, Reference, caption_columns, describe
from workflow_scripts.captions.diagnostics.near_duplicates import survey
from workflow_scripts.captions.diagnostics.reading import captions_of
from workflow_scripts.captions.diagnostics.summary import share
from workflow_scripts.models.text_norms import blip
from workflow_scripts.stats.intervals import mean_figure

SHORT, TOKENS = 4, 32
SAMPLES = 100
IMAGES, GRAMS = 125, 400  # smaller blocks than in the workflow, for a thousand photos
Blocks = list[dict[str, float | None]]
COMPARED = [name for name, one in FIGURES.items() if one.columns and one.group in ("Length", "Wording")]
COMPARED += ["repeated", "near_duplicate"]


def titles(path: Path) -> list[str]:
    """All captions of a RedCaps zip; those that are missing are empty."""
    with zipfile.ZipFile(path) as archive:
        files = [name for name in sorted(archive.namelist()) if name.endswith(".json")]
        return [row["caption"] or "" for name in files for row in json.loads(archive.read(name))["annotations"]]


def counter(encoder: Path) -> Callable[[list[str]], list[int]]:
    """Numbers of tokens as the matcher reads texts."""
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [len(one.ids) for one in tokenizer.encode_batch([blip(text) for text in texts])]


def columns(folder: Path, encoder: Path) -> tuple[pa.Table, Blocks, dict[str, float]]:
    """The columns of the captions in a folder and the variety of their blocks, and what these took."""
    start, file = time.monotonic(), folder / "captions.parquet"
    near = np.arange(pq.read_metadata(file).num_rows)
    measures = Measures(counter(encoder), TOKENS, near)  # type: ignore[arg-type]
    table = caption_columns(file, file, measures)
    rows = blocks(len(table), 100, IMAGES, 0)
    taken = [captions_of(file, np.sort(block)) for block in rows]
    words = [word_variety(texts, GRAMS) for texts in taken]
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"seconds": time.monotonic() - start, "core_seconds": used.ru_utime + used.ru_stime}
    cost |= {"peak_mb": used.ru_maxrss / 1024}
    return table, words, cost


def write(folder: Path, captions: list[str]) -> Path:
    """The captions as parquet, in a folder of their own."""
    folder.mkdir()
    keys = [str(row) for row in range(len(captions))]
    pq.write_table(pa.table({"key": keys, "caption": captions, "original": captions}), folder / "captions.parquet")
    return folder


def specificity(captions: list[str], reference: list[str]) -> np.ndarray:
    """By our code, NaN where unknown."""
    measures = Measures(lambda texts: [0] * len(texts), TOKENS, np.zeros(0, np.int64))
    found = describe(pa.array(captions), Reference([reference]), measures)
    return np.asarray(found["specificity"].fill_null(np.nan).to_numpy(), dtype=np.float64)


def vectors(captions: list[str], encoder: Path) -> list[np.ndarray]:
    """Blocks of unit vectors of random captions."""
    from sentence_transformers import SentenceTransformer

    rows = blocks(len(captions), VECTOR_BLOCKS, VECTOR_IMAGES, 0)
    model = SentenceTransformer(str(encoder), device="cpu")
    return [model.encode([captions[row] for row in block], normalize_embeddings=True) for block in rows]


def small_samples(captions: list[str], size: int) -> None:
    """Repeated captions and near duplicates among ``size`` random captions, as they depend on the number."""
    rng, found = np.random.default_rng(0), []
    for _ in range(SAMPLES):
        some = [captions[row] for row in rng.choice(len(captions), size, replace=False)]
        repeats, near = survey([pa.array(some)], np.ones(size, bool))
        found.append((((repeats > 1) & np.array([bool(text) for text in some])).mean(), near.mean()))
    for name, shares in zip(("repeated", "near_duplicate"), zip(*found, strict=True), strict=True):
        ends = {"mean": float(np.mean(shares)), "smallest": float(min(shares)), "largest": float(max(shares))}
        say(figure=name, among=size, samples=SAMPLES, **ends)


def say(**line: object) -> None:
    """Print a JSON line."""
    sys.stdout.write(json.dumps({"bench": "captions", **line}) + "\n")
    sys.stdout.flush()


def compared(name: str, real: np.ndarray, human: np.ndarray) -> None:
    """A figure of both sets, and the difference."""
    from scipy.stats import ttest_ind

    sides = []
    for values in (real, human):
        known = values[~np.isnan(values)]
        found = share(known) if np.isin(known, (0, 1)).all() else mean_figure(known)
        sides.append([round(found[key], 4) for key in ("value", "low", "high")] + [found["n"]])
    one, two = (values[~np.isnan(values)].astype(np.float64) for values in (real, human))
    low, high = ttest_ind(one, two, equal_var=False).confidence_interval()
    difference = [round(float(end), 4) for end in (one.mean() - two.mean(), low, high)]
    say(figure=name, redcaps=sides[0], human=sides[1], difference=difference)


def checked(name: str, ours: float, baseline: float) -> None:
    """A figure of RedCaps' captions by both ways."""
    say(figure=name, set="redcaps", ours=ours, baseline=baseline, ratio=ours / baseline if baseline else None)


def main(archive: str, photos: str, encoder: str) -> None:
    """Measure, compare, and check."""
    model = Path(encoder)
    real = titles(Path(archive))
    several = pq.read_table(Path(photos, "captions.parquet"), columns=["captions"])["captions"].to_pylist()
    human, rest = [some[0] for some in several], [text for some in several for text in some[1:]]
    with tempfile.TemporaryDirectory() as at, ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found, words, cost = pool.submit(columns, write(Path(at, "real"), real), model).result()
        say(figure="cost", captions=len(real), **cost)
        theirs, their_words, _ = columns(write(Path(at, "human"), human), model)
    tables = (found, theirs)
    for name in COMPARED:
        figure = FIGURES[name]
        if set(figure.columns) <= set(found.column_names):
            compared(name, *(figure.values(table.select(figure.columns)) for table in tables))
    for name, reference in (("redcaps", real), ("human", rest)):
        compared(f"specificity among {name}", specificity(real, reference), specificity(human, reference))
    for name in ("distinct_2", "distinct_3", "word_entropy"):
        compared(name, *(np.array([block[name] for block in one], dtype=np.float64) for one in (words, their_words)))
    small_samples(real, len(human))
    embedded = [vectors(texts, model) for texts in (real, human)]
    compared("vendi", *(np.array([vendi(block) for block in some]) for some in embedded))
    other = other_captions.figures(real, model, SHORT, TOKENS)
    for name in COMPARED:
        if name in other:
            figure = FIGURES[name]
            checked(name, float(np.nanmean(figure.values(found.select(figure.columns)))), other[name])
    checked("specificity", float(np.nanmean(specificity(real, real))), other["specificity"])
    rows = blocks(len(real), 100, IMAGES, 0)
    for name, value in other_captions.block_figures([[real[row] for row in np.sort(block)] for block in rows], GRAMS):
        checked(name, float(np.nanmean(np.array([block[name] for block in words], dtype=np.float64))), value)
    checked("vendi", float(np.mean([vendi(block) for block in embedded[0]])), other_captions.vendi(embedded[0]))
    ours = FIGURES["english"].values(found)
    rows = np.random.default_rng(0).choice(np.flatnonzero(~np.isnan(ours)), other_captions.ENGLISH, replace=False)
    theirs = other_captions.english([real[row] for row in rows])
    checked("english", float(ours[rows].mean()), float(theirs.mean()))
    say(figure="english", captions=len(rows), same_answer=float((ours[rows] == theirs).mean()))
    near = FIGURES["near_duplicate"].values(found.select(["near_duplicate"]))
    checked("near_duplicate", float(near.mean()), other_captions.near_duplicates(real))


if __name__ == "__main__":
    main(*sys.argv[1:])
