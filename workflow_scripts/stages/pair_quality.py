"""Diagnostics of a pair table: hubs, reciprocity, agreement of images, subreddits and labels."""

from typing import TYPE_CHECKING

from pydantic import Field

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.demo.world.settings import Label

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

AT_ONCE = 65_536  # pairs whose captions are compared at a time
NO_PARTNERS = ("empty_caption", "no_known_word", "no_label", "no_date")  # reasons why an image is nobody's partner


class PairQuality(Settings):
    """How the quality of pairs is measured."""

    label: Label | None = Field(None, examples=["concept"])
    """Ground-truth label that defines the purity of pairs; null: none (only the demo has labels)."""
    seed: int = Field(0, examples=[1])
    """Seed of random pairs."""
    batch: int = quantity(512, unit="pairs", ge=2, examples=[128])
    """Batch size for which negatives are counted that have the same caption, target or label."""


def pair_quality(job: Job[PairQuality]) -> None:
    """Compute the diagnostics and draw them."""
    import numpy as np
    import pyarrow.parquet as pq

    from workflow_scripts.core.files.jsonio import pretty, read_json
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.pairs import key_join
    from workflow_scripts.pairs.diagnostics.figure import draw
    from workflow_scripts.pairs.diagnostics.quality import Knowledge, by_subreddit, judge

    options = job.settings
    table = pq.read_table(job.input("pairs").path(".parquet"))
    keys = pq.read_table(job.input("index").path(".parquet"), columns=["key", "subreddit"])
    pairs = key_join.pair_rows(table, keys["key"])
    vectors = label = caption = copies = None
    if job.inputs("images"):
        embedded = job.input("images")
        named = pq.read_table(embedded.path(".keys.parquet"), columns=["key"])["key"]
        vectors = key_join.image_vectors(np.load(embedded.path(".npy"), mmap_mode="r", allow_pickle=False), named, keys)
    if options.label is not None:
        truth = pq.read_table(job.input("truth").path(".truth.parquet"), columns=["image_id", options.label])
        label = key_join.label_codes(keys["key"], truth["image_id"], truth[options.label])
    if job.inputs("captions"):
        arm = pq.read_table(job.input("captions").path(".parquet"), columns=["key", "caption"])
        caption = key_join.label_codes(keys["key"], arm["key"], arm["caption"])
        copies = _copies(table, arm)
    counts = read_json(job.input("pairs").path(".json"), "recompute the pair table")
    eligible = counts["images"] - sum(counts["without_pair"].get(reason, 0) for reason in NO_PARTNERS)
    knowledge = Knowledge(eligible, key_join.codes(keys["subreddit"]), vectors, label, caption, copies)
    found, summary, random = judge(pairs, knowledge, options.batch, options.seed)
    diagnostics = table.select(["source", "target"])
    for name in found.column_names:
        diagnostics = diagnostics.append_column(name, found[name])
    write_table(job.file(".parquet"), diagnostics)
    image = None if random is None else found["image_cosine"].to_numpy()
    write_table(job.file(".subreddits.parquet"), by_subreddit(pairs, keys["subreddit"], image))
    recall = {"search_recall": counts["recall"]} if "recall" in counts else {}
    job.file(".json").write_bytes(pretty({**summary, **recall, "label": options.label}))
    chosen = np.bincount(pairs.target, minlength=pairs.count)
    draw(job.file(".png"), pairs.cosine, chosen, image, random, summary)
    job.rows(len(table), len(diagnostics))


def _copies(pairs: "pa.Table", arm: "pa.Table") -> "tuple[np.ndarray, np.ndarray]":
    """(m,) bool: which pairs have equal captions, and captions that share most words; blank ones count as neither."""
    import numpy as np
    import pyarrow.compute as pc

    from workflow_scripts.captions.diagnostics.near_duplicates import resembling

    source, target = (pc.index_in(pairs[name], value_set=arm["key"]) for name in ("source", "target"))
    found = [(np.zeros(0, bool), np.zeros(0, bool))]
    for start in range(0, len(pairs), AT_ONCE):
        both = [arm["caption"].take(rows.slice(start, AT_ONCE)) for rows in (source, target)]
        equal = pc.and_(pc.equal(*both), pc.not_equal(both[0], "")).to_numpy()
        found.append((equal, resembling(*(texts.to_pylist() for texts in both))))
    equal, near = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return equal, near


STAGE = Stage(
    run=pair_quality,
    settings=PairQuality,
    artifact="{pairs}",
    packages=("numpy", "scipy", "matplotlib", "pyarrow"),
)

FACTS = Facts(
    files={
        ".json": File("summary", Tolerance(1e-4, 0.02, "none; as pair_table"), published=True),
        ".parquet": File("diagnostics of each pair", Tolerance(1e-4, 0.01, "none; as pair_table")),
        ".subreddits.parquet": File(
            "diagnostics by the subreddit of the source", Tolerance(1e-4, 0.02, "none; as pair_table")
        ),
        ".png": File("charts of the summary", Tolerance(0, 0.02, "none; drawn from the table"), published=True),
    },
    resources=Resources(minutes=120, memory_mb=4_000, data=lambda load: load.images * 1_500),
    cost=Cost(per="image", units=lambda load: load.images, core_ms=0.5, source="demo study, upper bound"),
    section="pair_quality",
    names=lambda units: [pairs.name for pairs in units.study.pairs],
    inputs={
        "pairs": "pair_table/{pairs}",
        "captions": lambda units, unit: [
            f"select_captions/{arm}" for arm in [units.item("pairs", unit["pairs"]).arm or units.reference_arm] if arm
        ],
        "images": lambda units, _: [
            f"embed_images/{name}" for name in [units.study.pair_quality.image_encoder] if name
        ],
        "index": "image_index/images",
        "truth": "demo_world/*",
    },
)

if __name__ == "__main__":
    run_stage(STAGE)
