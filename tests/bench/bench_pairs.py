"""Hubs, ties and purity of the pairs of real captions, by rule and by number of dimensions.

    python -m tests.bench.bench_pairs ANNOTATIONS.zip MODEL [--cache /tmp/bench_pairs] [--dimensions 64 128 256 384]

ANNOTATIONS.zip has RedCaps' layout; MODEL is the folder of a sentence-transformers model. The vectors of all captions
are kept in the cache folder. Prints one JSON line per rule; k = 1 everywhere. `changed` compares partners with the hash
rule at the same number of dimensions, `purity` is the share of pairs within a subreddit.
"""

import argparse
import json
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.embeddings.text import embed, sentence_encoder
from workflow_scripts.pairs.dedup import group_equal
from workflow_scripts.pairs.diagnostics.collisions import effective_targets, false_negatives
from workflow_scripts.pairs.diagnostics.quality import hubness
from workflow_scripts.pairs.hubs import HUBS
from workflow_scripts.pairs.key_join import PairRows
from workflow_scripts.pairs.kinds.nearest import Nearest
from workflow_scripts.pairs.neighbours import Near, Rule, nearest
from workflow_scripts.pairs.selection import first, mutual
from workflow_scripts.pairs.ties import identities

RULES = {
    "hash": Nearest(),
    "mutual 1": Nearest(mutual=1),
    "mutual 10": Nearest(mutual=10),
    "csls": Nearest(hubs="csls"),
    "local_scaling": Nearest(hubs="local_scaling"),
    "cap 2": Nearest(hubs="cap"),
}


def captions(path: Path) -> pa.Table:
    """key, subreddit and caption of all rows with a caption."""
    rows = []
    with zipfile.ZipFile(path) as zipped:
        for name in sorted(zipped.namelist()):
            if name.endswith(".json"):
                found = json.loads(zipped.read(name))["annotations"]
                rows += [(f"{name}-{i}", row["subreddit"], row["caption"].strip()) for i, row in enumerate(found)]
    rows = [row for row in rows if row[2]]
    columns = [pa.chunked_array([list(column)]) for column in zip(*rows, strict=True)]
    return pa.table(dict(zip(("key", "subreddit", "caption"), columns, strict=True)))


def embedded(texts: pa.ChunkedArray, model: Path, cache: Path) -> np.ndarray:
    """(n, d) float32 unit vectors, from the cache if they are there."""
    out = cache / "vectors.npy"
    if not out.exists():
        work = cache / "work"
        work.mkdir(parents=True, exist_ok=True)
        embed(texts, sentence_encoder(model, "cpu"), 128, 32, work, cache / "vectors.part")
        (cache / "vectors.part").rename(out)
    return np.load(out)


def by_rule(near: Near) -> Iterator[tuple[str, float, np.ndarray]]:
    """(rule, seconds, partner of each row or -1) of each rule, from the neighbours that it needs."""
    start = time.perf_counter()
    size = np.bincount(near.group)
    least = np.full(len(size), len(near.group))
    np.minimum.at(least, near.group, np.arange(len(near.group)))
    # The first row of the partner's group, unless that is the source itself: what an order of rows chooses.
    partner = near.target[:, 0]
    row_order = least[near.group[partner]]
    own = row_order == np.arange(len(partner))
    yield "row order", time.perf_counter() - start, np.where(own, partner, row_order)
    for name, rule in RULES.items():
        start = time.perf_counter()
        enough = first(near, rule.width)
        allowed = None if rule.mutual is None else mutual(enough, rule.mutual)
        partner = HUBS[rule.hubs].choose(enough, allowed, 1, rule).target[:, 0]
        yield name, time.perf_counter() - start, partner


def main() -> None:
    """Embed, search once per number of dimensions, and print a line per rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/bench_pairs"))
    parser.add_argument("--dimensions", type=int, nargs="+", default=[384, 256, 128, 64])
    options = parser.parse_args()
    table = captions(options.annotations)
    vectors = embedded(table["caption"], options.model, options.cache)
    subreddit = pc.dictionary_encode(table["subreddit"].combine_chunks()).indices.to_numpy()
    ids = identities(table["key"], 0)
    for width in options.dimensions:
        cut = np.ascontiguousarray(vectors[:, :width])
        cut /= np.linalg.norm(cut, axis=1, keepdims=True)
        start = time.perf_counter()
        near = nearest(cut, ids, Rule(max(rule.width for rule in RULES.values())))
        search = time.perf_counter() - start
        ties = float((np.bincount(group_equal(cut).group)[near.group[near.target[:, 0]]] > 1).mean())
        plain = near.target[:, 0]
        for name, seconds, partner in by_rule(near):
            paired = np.flatnonzero(partner >= 0)
            pairs = PairRows(paired, partner[paired], np.zeros(len(paired), np.float32), len(cut))
            line = {
                **{"bench": "pairs", "rows": len(cut), "dimensions": width, "rule": name, "search_s": round(search, 1)},
                **{"rule_s": round(seconds, 2), "kept": round(len(paired) / len(cut), 4), "ties": round(ties, 4)},
                **{key: round(float(value or 0), 4) for key, value in hubness(pairs).items()},
                **{key: round(float(value or 0), 4) for key, value in effective_targets(pairs).items()},
                "shared_targets_in_512": round(float(false_negatives(pairs, None, 512)["shared_targets"] or 0), 3),
                "purity": round(float((subreddit[paired] == subreddit[pairs.target]).mean()), 4),
                "changed": round(float((plain[paired] != pairs.target).mean()), 4),
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
