"""Hubs, ties and purity of the pairs of real captions, by rule and by number of dimensions.

    python -m tests.bench.bench_pairs ANNOTATIONS.zip MODEL [--cache FOLDER] [--dimensions 64 128 256 384] [--sample N]

ANNOTATIONS.zip has RedCaps' layout; MODEL is the folder of a sentence-transformers model. Vectors are kept in the cache
folder. Prints a JSON line about the captions, then one per rule; k = 1 everywhere. Times are CPU seconds; the search is
the same for all rules of a number of dimensions. `changed` compares partners with the hash rule at the same number of
dimensions, `purity` is the share of pairs within a subreddit.
"""

import argparse
import json
import random
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.embeddings.text import distinct, embed, write_vectors
from workflow_scripts.models.sentence_encoder import sentence_encoder
from workflow_scripts.pairs.diagnostics.quality import effective_targets, hubness, negatives
from workflow_scripts.pairs.key_join import PairRows
from workflow_scripts.pairs.kinds.nearest import Nearest
from workflow_scripts.pairs.neighbours import Near, Rule, nearest
from workflow_scripts.pairs.pools import group_equal
from workflow_scripts.pairs.selection import capped
from workflow_scripts.pairs.ties import identities

Line = dict[str, str | float]

RULES = {"hash": Nearest(), "cap 2": Nearest(hubs="cap")}


def captions(path: Path, sample: int | None) -> pa.Table:
    """key, subreddit and caption of all rows with a caption, or of ``sample`` random ones, in their order."""
    rows = []
    with zipfile.ZipFile(path) as zipped:
        for name in sorted(zipped.namelist()):
            if name.endswith(".json"):
                found = json.loads(zipped.read(name))["annotations"]
                rows += [(f"{name}-{i}", row["subreddit"], row["caption"].strip()) for i, row in enumerate(found)]
    rows = [row for row in rows if row[2]]
    if sample is not None:
        rows = [rows[i] for i in sorted(random.Random(0).sample(range(len(rows)), sample))]
    columns = [pa.chunked_array([list(column)]) for column in zip(*rows, strict=True)]
    return pa.table(dict(zip(("key", "subreddit", "caption"), columns, strict=True)))


def embedded(texts: pa.ChunkedArray, model: Path, cache: Path) -> np.ndarray:
    """(n, d) float32 unit vectors, from the cache if this model's are there for as many captions."""
    name = "-".join([*model.resolve().parts[-2:], str(len(texts))])
    out, work = cache / f"{name}.npy", cache / f"{name}.work"
    if not out.exists():
        work.mkdir(parents=True, exist_ok=True)
        captions = distinct(texts)
        write_vectors(captions, embed(captions, sentence_encoder(model, "cpu"), 128, work), out)
    return np.load(out)


def by_rule(near: Near) -> Iterator[tuple[str, float, np.ndarray]]:
    """(rule, seconds, partner of each row or -1) of each rule, from the neighbours that it needs."""
    start = time.process_time()
    size = np.bincount(near.group)
    least = np.full(len(size), len(near.group))
    np.minimum.at(least, near.group, np.arange(len(near.group)))
    # The first row of the partner's group, unless that is the source itself: what an order of rows chooses.
    partner = near.target[:, 0]
    row_order = least[near.group[partner]]
    own = row_order == np.arange(len(partner))
    yield "row order", time.process_time() - start, np.where(own, partner, row_order)
    for name, rule in RULES.items():
        start = time.process_time()
        chosen = near if rule.hubs == "none" else capped(near, 1, rule.max_uses)
        partner = chosen.target[:, 0]
        yield name, time.process_time() - start, partner


def by_width(cut: np.ndarray, ids: np.ndarray, subreddit: np.ndarray) -> Iterator[Line]:
    """A line per rule, of n captions.

    Args:
        cut: (n, d) float32 unit vectors.
        ids: (n,) uint64 identities of the rows.
        subreddit: (n,) numbers of their subreddits.
    """
    start = time.process_time()
    near = nearest(cut, ids, Rule(max(rule.width for rule in RULES.values())))
    search = time.process_time() - start
    ties = float((np.bincount(group_equal(cut).group)[near.group[near.target[:, 0]]] > 1).mean())
    plain = near.target[:, 0]
    for name, seconds, partner in by_rule(near):
        paired = np.flatnonzero(partner >= 0)
        pairs = PairRows(paired, partner[paired], np.zeros(len(paired), np.float32), len(cut))
        yield {
            "dimensions": cut.shape[1],
            "rule": name,
            "search_s": round(search, 1),
            "rule_s": round(seconds, 2),
            "kept": round(len(paired) / len(cut), 4),
            "ties": round(ties, 4),
            **{key: round(float(value or 0), 4) for key, value in hubness(pairs, pairs.count).items()},
            **{key: round(float(value or 0), 4) for key, value in effective_targets(pairs).items()},
            "shared_targets_in_512": round(float(negatives(pairs, None, 512)["shared_targets"] or 0), 3),
            "purity": round(float((subreddit[paired] == subreddit[pairs.target]).mean()), 4),
            "changed": round(float((plain[paired] != pairs.target).mean()), 4),
        }


def lines(options: argparse.Namespace) -> Iterator[Line]:
    """Embed, then search once per number of dimensions: a line about the captions, then one per rule."""
    table = captions(options.annotations, options.sample)
    start = time.process_time()
    vectors = embedded(table["caption"], options.model, options.cache)
    seconds = time.process_time() - start
    subreddit = pc.dictionary_encode(table["subreddit"].combine_chunks()).indices.to_numpy()
    size = np.bincount(subreddit)
    yield {
        "rows": len(table),
        "distinct": len(pc.unique(table["caption"])),
        "embed_s": round(seconds, 1),
        "random_purity": round(float((size * (size - 1)).sum() / (len(table) * (len(table) - 1))), 4),
    }
    ids = identities(table["key"], 0)
    for width in options.dimensions:
        cut = np.ascontiguousarray(vectors[:, :width])
        cut /= np.linalg.norm(cut, axis=1, keepdims=True)
        yield from by_width(cut, ids, subreddit)


def main() -> None:
    """Print each line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/bench_pairs"))
    parser.add_argument("--dimensions", type=int, nargs="+", default=[384, 256, 128, 64])
    parser.add_argument("--sample", type=int, help="random captions; all of them if left out")
    for line in lines(parser.parse_args()):
        sys.stdout.write(json.dumps({"bench": "pairs"} | line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
