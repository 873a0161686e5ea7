"""A small study to browse, made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.stages.captioned import image_index, shard
from workflow_scripts.captions.arm_rows import arm_table
from workflow_scripts.captions.score_table import schema
from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact
from workflow_scripts.core.files.jsonio import pretty

SCRIPT = "<script>document.title='run'</script>"
LONG = "long " + "word " * 60_000
ORIGINAL = [
    "wow",
    "a red cat",
    "",
    "my dog on grass",
    SCRIPT,
    "the red dog and the cat",
    LONG,
    "seen by u/some_one",
    "Café at night",
]
GENERATED = ["a picture"] * 5 + ["a red dog"] + ["a thing"] * 3
COUNT = len(ORIGINAL)
ITM = np.linspace(-2, 2, COUNT).astype(np.float32)


def study_of(folder: Path, original: list[str] = ORIGINAL, generated: list[str] = GENERATED) -> Path:
    """Nine images in two shards with three arms, scores of the matcher and of a judge, and one pair table."""
    results = folder / "results"
    pictures = [Image.new("RGB", (20, 10), (25 * number, 0, 0)) for number in range(COUNT)]
    shards = [shard(results, "00000", pictures[:5], 0, 0), shard(results, "00001", pictures[5:], 5, 0)]
    rows = [row for _, some in shards for row in some]
    image_index(results, [made for made, _ in shards], [some for _, some in shards])
    images = pa.table({name: [row[name] for row in rows] for name in ("key", "subreddit", "year")})
    nothing = pa.nulls(COUNT, pa.float32())
    itm, itc = pa.array(ITM), pa.array(-ITM)
    arms: dict[str, tuple[list[str], Any, Any]] = {
        "original": (original, itm, itc),
        "generated": (generated, pa.array(ITM[::-1]), itc),
        "shuffled": (original[1:] + original[:1], nothing, nothing),
    }
    for arm, (texts, matching, contrast) in arms.items():
        table = arm_table(images, texts, [arm] * COUNT, matching, contrast)
        path = make_artifact(results, "select_captions", arm, {".parquet": parquet(table)}, {"arm": arm})
        path.with_name(f"{arm}{RUN}").write_bytes(pretty({"settings": {"kind": arm}}))
    _scores(results)
    _pairs(results)
    return results / "study"


def _scores(results: Path) -> None:
    """A judge's scores of the original captions of k0 and k2, in one block, and of k5 in another."""
    for block, keys, cosine in (("00000-00000", ["k0", "k2"], [0.5, None]), ("00001-00001", ["k5"], [0.25])):
        columns = {name: pa.nulls(len(keys), pa.float32()) for name in schema(["cosine"]).names[3:]}
        found = {
            "key": keys,
            "text": [0] * len(keys),
            "random_image": [0] * len(keys),
            **columns,
            "cosine": pa.array(cosine, pa.float32()),
        }
        table = pa.table(found, schema=schema(["cosine"]))
        unit = {"arm": "original", "judge": "clip", "block": block}
        path = make_artifact(results, "score_captions", f"original.clip.{block}", {".parquet": parquet(table)}, unit)
        made = {"captions": "select_captions/original", "images": "image_index/images"}
        inputs = {name: [Artifact(results / "study" / f"{label}{MANIFEST}").hash] for name, label in made.items()}
        path.with_name(path.name.replace(MANIFEST, RUN)).write_bytes(pretty({"inputs": inputs}))


def _pairs(results: Path) -> None:
    """k0 -> k5, k1; k5 -> k0; and a pair of an image that the study does not have."""
    columns = {"source": ["k0", "k0", "k5", "gone"], "target": ["k5", "k1", "k0", "k0"]}
    table = pa.table(
        {**columns, "rank": pa.array([1, 2, 1, 1], pa.int16()), "cosine": pa.array([0.9, 0.8, 0.7, 0.6], pa.float32())}
    )
    path = make_artifact(results, "pair_table", "mpnet", {".parquet": parquet(table)}, {"pairs": "mpnet"})
    files = {"vectors": ["results/study/embed_captions/generated.mpnet.manifest.json"]}
    path.with_name(path.name.replace(MANIFEST, RUN)).write_bytes(pretty({"input_files": files}))
