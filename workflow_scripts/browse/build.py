"""Builds the index of a study once: what the browser shows of it, except the images themselves.

The index is a folder ``results/.browse/<study>/<key>`` that can be removed at any time:

- ``about.json``: names of arms, of the controls among them (with captions of other images), scores, pair tables and
  subreddits, and the hashes of the artifacts behind it;
- ``index.sqlite``: where each image is, captions and the full-text index of each arm, and neighbours;
- ``scores.npy`` and ``ranks.npy``: (scores, images) float32, NaN where an image has none; ranks are shares in 0..1;
- ``subreddits.npy``: (images,) int32, places in the list of subreddits.

Rows are those of the image index. It is built under another name and renamed when it is complete.
"""

import logging
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.rows import mask
from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact, label_of
from workflow_scripts.core.cache import key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.durable import make_folders, move_folder_durable
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.names import ABOUT, BROWSE
from workflow_scripts.core.files.tables import read_rows
from workflow_scripts.core.record import load_record
from workflow_scripts.reporting.text import cut, visible
from workflow_scripts.study.config.runs import CONTROL_ARMS

FORMAT = 3  # of the index; raise it when an index that exists would be read wrongly or show something else
MATCHER = ("itm", "itc")  # scores that the tables of arms hold
TABLES, SCORES, RANKS, SUBREDDITS = "index.sqlite", "scores.npy", "ranks.npy", "subreddits.npy"
MOST_CHARACTERS = 2000  # of a caption that are shown and searched
_OWN = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{64}\.part")  # names of indexes, and of those that are being built
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sources:
    """The artifacts of a study that the browser shows.

    Attributes:
        images: the ``image_index``.
        arms: arm -> ``select_captions``.
        scores: ``score_captions`` of these arms, a block of shards each.
        outdated: ``<stage>/<name>`` of scores of earlier captions or images, which the folder may hold too.
        pairs: name -> ``pair_table``.
    """

    study: Path
    images: Artifact
    arms: dict[str, Artifact]
    scores: list[Artifact]
    outdated: list[str]
    pairs: dict[str, Artifact]

    @cached_property
    def inputs(self) -> dict[str, str]:
        """``<stage>/<name>`` -> manifest hash of every artifact."""
        every = [self.images, *self.arms.values(), *self.scores, *self.pairs.values()]
        return {label_of(one.manifest_path): one.hash for one in every}

    @cached_property
    def key(self) -> str:
        """Digest of everything that determines the index."""
        return digest({"format": FORMAT, "inputs": self.inputs, "outdated": self.outdated})


def sources_of(study: Path) -> Sources:
    """The study's sources.

    Raises:
        PipelineError: it has no image index or no captions yet, or a manifest is damaged.
    """
    images = Artifact(study / "image_index" / f"images{MANIFEST}")
    arms = _named(study / "select_captions")
    if not arms:
        raise PipelineError("no captions", study / "select_captions", "no arm", "run snakemake first")
    scores: list[Artifact] = []
    outdated = []
    for one in _named(study / "score_captions").values():
        if (arm := arms.get(one.unit["arm"])) is None:
            continue
        inputs = _recorded(one, "inputs")
        if (inputs.get("captions"), inputs.get("images")) == ([arm.hash], [images.hash]):
            scores.append(one)
        else:
            outdated.append(label_of(one.manifest_path))
    return Sources(study, images, arms, scores, outdated, _named(study / "pair_table"))


def compared_arm(pairs: Artifact) -> str | None:
    """The arm whose captions a pair table compares; None: it compares images."""
    vectors = [Path(path) for path in _recorded(pairs, "input_files").get("vectors", [])]
    return next((path.name.partition(".")[0] for path in vectors if path.parent.name == "embed_captions"), None)


def _recorded(artifact: Artifact, field: str) -> dict[str, Any]:
    """A field of the artifact's run record; empty if it is missing."""
    path = artifact.manifest_path.with_name(artifact.name + RUN)
    loaded = load_record(path)
    if loaded.fault is not None:
        raise PipelineError("damaged run record", path, loaded.fault, "rerun the workflow")
    return dict(loaded.content.get(field, {}))


def _named(folder: Path) -> dict[str, Artifact]:
    return {path.name.removesuffix(MANIFEST): Artifact(path) for path in sorted(folder.glob(f"*{MANIFEST}"))}


def score_columns(table: Path) -> list[str]:
    """The columns of a table of ``score_captions`` with scores of an image's own caption, raw and centred."""
    names = pq.read_schema(table).names
    raw = [name for name in names if f"{name}_random" in names and not name.endswith("_centred")]
    return [column for name in raw for column in (name, f"{name}_centred") if column in names]


def index_of(sources: Sources) -> Path:
    """The folder of the study's index, which is built if it does not exist; older ones are removed.

    Raises:
        PipelineError: an artifact is damaged.
    """
    folder = sources.study.parent / BROWSE / sources.study.name
    index = folder / sources.key
    if index.is_dir():
        return index
    with key_lock(folder / "index"):
        if not index.is_dir():
            # Older ones, and those of killed builds; nothing else that lies there, and nothing that a link leads to.
            for left in (path for path in folder.iterdir() if _OWN.fullmatch(path.name)):
                if not left.is_symlink():
                    shutil.rmtree(left)
            log.info("building the index of %s", sources.study)
            part = folder / f".{sources.key}.part"
            part.mkdir()
            build(sources, part)
            make_folders(folder)
            move_folder_durable(part, index)
    return index


def build(sources: Sources, folder: Path) -> None:
    """Write the files of an index into an empty folder."""
    images = sources.images.path(".parquet")
    places = pq.read_table(images, columns=["key", "subreddit"])
    keys = places["key"]
    left_out = dict.fromkeys(sources.outdated, "made from other captions or images")
    subreddits = pc.dictionary_encode(places["subreddit"].combine_chunks())
    np.save(folder / SUBREDDITS, subreddits.indices.to_numpy().astype(np.int32))
    with closing(sqlite3.connect(folder / TABLES)) as database:
        database.execute("PRAGMA journal_mode = OFF")  # a build that ends early is thrown away
        database.execute("PRAGMA synchronous = OFF")
        database.execute(f"PRAGMA mmap_size = {1 << 40}")  # keys are looked up without a system call each
        _images(database, images)
        arms: list[str] = []
        for name, artifact in sources.arms.items():
            if pq.read_table(artifact.path(".parquet"), columns=["key"])["key"] == keys:
                _captions(database, len(arms), artifact.path(".parquet"))
                arms.append(name)
            else:
                left_out[label_of(artifact.manifest_path)] = "made for other images"
        for place, artifact in enumerate(sources.pairs.values()):
            if unknown := _neighbours(database, place, artifact.path(".parquet")):
                left_out[label_of(artifact.manifest_path)] = f"{unknown} pairs of other images"
        database.commit()
    names = _scores(sources, arms, keys, folder)
    about = {
        "study": sources.study.name,
        "rows": len(places),
        "arms": arms,
        "scores": names,
        "controls": [arm for arm in arms if _recorded(sources.arms[arm], "settings").get("kind") in CONTROL_ARMS],
        "pairs": list(sources.pairs),
        "compared": {name: compared_arm(one) for name, one in sources.pairs.items()},
        "subreddits": subreddits.dictionary.to_pylist(),
        "left_out": left_out,
        "inputs": sources.inputs,
    }
    (folder / ABOUT).write_bytes(pretty(about))


def _images(database: sqlite3.Connection, table: Path) -> None:
    database.execute(
        "CREATE TABLE images (row INTEGER PRIMARY KEY, key TEXT, year INTEGER, width INTEGER, height INTEGER,"
        " shard INTEGER, offset INTEGER, size INTEGER, sha256 TEXT)"
    )
    columns = ["key", "year", "width", "height", "shard", "offset", "size", "sha256"]
    rows = ((row, *values) for row, values in enumerate(read_rows(table, columns)))
    database.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    database.execute("CREATE UNIQUE INDEX keys ON images (key)")  # sorted once: keys arrive in no order


def _captions(database: sqlite3.Connection, arm: int, table: Path) -> None:
    """Captions and full-text index of one arm; ``characters`` is the length of a caption that is cut, else 0."""
    name = f"captions_{arm}"
    database.execute(f"CREATE TABLE {name} (row INTEGER PRIMARY KEY, caption TEXT, characters INTEGER, origin TEXT)")
    captions = enumerate(read_rows(table, ["caption", "origin"]))
    rows = ((row, *_shown(caption), origin) for row, (caption, origin) in captions)
    database.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?)", rows)
    database.execute(
        f"CREATE VIRTUAL TABLE words_{arm} USING fts5("
        f"caption, content='{name}', content_rowid='row', tokenize='unicode61 remove_diacritics 2')"
    )
    database.execute(f"INSERT INTO words_{arm} (words_{arm}) VALUES ('rebuild')")


def _shown(caption: str) -> tuple[str, int]:
    """What the browser shows of a caption (on one line, names of people masked), and its length if it is cut, else 0.

    Captions of RedCaps are masked already; those of a user's table of captions may not be.
    """
    whole = mask(visible(caption))
    return cut(whole, MOST_CHARACTERS), len(whole) if len(whole) > MOST_CHARACTERS else 0


def _neighbours(database: sqlite3.Connection, place: int, table: Path) -> int:
    """Insert the pairs of a table; returns how many were left out since the study lacks one of their images.

    SQLite looks the keys up in its index of ``images``, so that memory does not grow with the images or the pairs.
    """
    database.execute(
        "CREATE TABLE IF NOT EXISTS neighbours (pairs INTEGER, source INTEGER, rank INTEGER, target INTEGER,"
        " cosine REAL, PRIMARY KEY (pairs, source, rank)) WITHOUT ROWID"
    )
    insert = (
        f"INSERT INTO neighbours SELECT {place}, source.row, ?, target.row, ? FROM images AS source, images AS target"
        " WHERE source.key = ? AND target.key = ?"
    )
    before = database.total_changes
    database.executemany(insert, read_rows(table, ["rank", "cosine", "source", "target"]))
    return int(pq.read_metadata(table).num_rows) - (database.total_changes - before)


def _scores(sources: Sources, arms: list[str], keys: pa.ChunkedArray, folder: Path) -> list[list[str]]:
    """Write scores and ranks; returns ``[arm, score]`` for each row of them. Scores without any value are left out."""
    names, columns = [], []
    for arm in arms:
        table = pq.read_table(sources.arms[arm].path(".parquet"), columns=list(MATCHER))
        found = {f"matcher {name}": table[name].to_numpy().astype(np.float32) for name in MATCHER}
        for judge in sorted({one.unit["judge"] for one in sources.scores if one.unit["arm"] == arm}):
            blocks = [one for one in sources.scores if (one.unit["arm"], one.unit["judge"]) == (arm, judge)]
            found |= {f"{judge} {name}": values for name, values in _judged(blocks, keys).items()}
        for name, values in found.items():
            if np.isfinite(values).any():
                names.append([arm, name])
                columns.append(values)
    shape = (len(columns), len(keys))
    for file, change in ((SCORES, np.asarray), (RANKS, _ranks)):
        out = np.lib.format.open_memmap(folder / file, "w+", np.float32, shape)
        for place, values in enumerate(columns):
            out[place] = change(values)
        out.flush()
    return names


def _judged(blocks: list[Artifact], keys: pa.ChunkedArray) -> dict[str, np.ndarray]:
    """Score -> (n,) float32, NaN for images that the judge has not scored."""
    paths = [one.path(".parquet") for one in blocks]
    names = score_columns(paths[0])
    table = pa.concat_tables([pq.read_table(path, columns=["key", *names]) for path in paths])
    rows = pc.index_in(table["key"], value_set=keys)
    known = rows.is_valid()
    at, found = rows.filter(known).to_numpy(), {name: np.full(len(keys), np.nan, np.float32) for name in names}
    for name in names:
        found[name][at] = table[name].filter(known).to_numpy()
    return found


def _ranks(values: np.ndarray) -> np.ndarray:
    """Place of each value among all, from 0 (lowest) to 1, ties averaged; NaN stays."""
    from scipy.stats import rankdata  # importing it takes longer than opening an index

    return np.asarray((rankdata(values, nan_policy="omit") - 0.5) / np.isfinite(values).sum())
