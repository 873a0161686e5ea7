"""Two downloaded shards with their index, made by hand, and the caption stages run on them once."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from tests.captions.small_blip2 import draw_pictures, save_checkpoints
from tests.file_bytes import encoded, parquet
from tests.helpers import make_artifact, run
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.stages import caption_table, embed_images, recaption
from workflow_scripts.stages.select_captions import ARM_KINDS, STAGE, SelectCaptions

CAPTIONS = ["wow", "a red cat", "", "my dog on grass", "wow", "a small house with a tree", "sky", "blue", "photo of me"]
RECAPTION = {"batch_size": 4, "num_captions": 2, "max_new_tokens": 6, "seed": 1}
SHARD = pa.schema(
    [("key", pa.string()), ("subreddit", pa.string()), ("year", pa.int16()), ("caption", pa.string()),
     ("state", pa.string()), ("offset", pa.int64()), ("bytes", pa.int64()),
     ("sha256", pa.string())]
)  # fmt: skip


@dataclass(frozen=True)
class Captioned:
    """Manifests of what was made."""

    results: Path
    checkpoints: dict[str, Path]
    shards: list[Path]
    index: Path
    recaption: list[Path]
    table: Path

    def arm(self, kind: str, **settings: Any) -> Artifact:
        """``select_captions`` of one kind, run; the arms that it reads must have been run."""
        chosen = SelectCaptions.model_validate({"kind": kind, **settings})
        others = [getattr(chosen, setting) for setting in ARM_KINDS[kind].arms]
        arms = [self.results / f"study/select_captions/{name}{MANIFEST}" for name in others if name is not None]
        inputs = {"captions": self.table, "arms": arms}
        settings = chosen.model_dump(mode="json")
        return run(STAGE, self.results, f"select_captions/{kind}", settings, inputs, {"arm": kind})


def shard(results: Path, name: str, pictures: list[Image.Image], first: int, lost: int) -> tuple[Path, list[dict]]:  # type: ignore[type-arg]
    """A download artifact of ``pictures`` and ``lost`` rows without image; gives the good rows too."""
    rows, data = [], b""
    for i, picture in enumerate(pictures):
        image, number = encoded(picture), first + i
        where = {"subreddit": "ab"[number % 2], "year": 2019 + number // 5, "caption": CAPTIONS[number]}
        facts = {"sha256": hashlib.sha256(image).hexdigest(), "width": picture.width, "height": picture.height}
        rows.append({"key": f"k{number}", **where, "state": "ok", "offset": len(data), "bytes": len(image), **facts})
        data += image
    gone = {"subreddit": "a", "year": 2019, "caption": "gone", "state": "not_found", "offset": None, "bytes": None}
    every = [*rows, *({"key": f"lost{first}-{i}", **gone} for i in range(lost))]
    table = pa.Table.from_pylist(every, SHARD)
    return make_artifact(results, "download", name, {".tar": data, ".parquet": parquet(table)}), rows


def image_index(results: Path, shards: list[Path], rows: list[list[dict]]) -> Path:  # type: ignore[type-arg]
    """An image_index artifact of the good rows."""
    flat = [
        {**{k: row[k] for k in ("key", "offset", "width", "height", "sha256", "subreddit", "year")},
         "shard": number, "size": row["bytes"]}
        for number, part in enumerate(rows) for row in part
    ]  # fmt: skip
    schema = pa.schema(
        [("key", pa.string()), ("shard", pa.int32()), ("offset", pa.int64()), ("size", pa.int64()),
         ("width", pa.int32()), ("height", pa.int32()), ("sha256", pa.string()), ("subreddit", pa.string()),
         ("year", pa.int16())]
    )  # fmt: skip
    tars = {f"{i:05d}": Artifact(path).manifest["files"][".tar"] for i, path in enumerate(shards)}
    files = {".parquet": parquet(pa.Table.from_pylist(flat, schema)), ".json": pretty({"tars": tars})}
    return make_artifact(results, "image_index", "images", files)


def captioned(folder: Path) -> Captioned:
    """Two shards of five and four pictures, three lost rows; captioned, gathered."""
    results = folder / "results"
    checkpoints = save_checkpoints(folder / "models")
    pictures = draw_pictures()
    (one, one_rows), (two, two_rows) = (
        shard(results, "00000", pictures[:5], 0, 1), shard(results, "00001", pictures[5:], 5, 2)
    )  # fmt: skip
    index = image_index(results, [one, two], [one_rows, two_rows])
    made = [
        run(
            recaption.STAGE,
            results,
            f"recaption/0000{i}",
            RECAPTION,
            {"shard": path},
            {"shard": f"0000{i}"},
            checkpoints,
        )
        for i, path in enumerate((one, two))
    ]
    scored = [artifact.manifest_path for artifact in made]
    inputs = {"images": index, "download": [one, two], "recaption": scored}
    table = run(caption_table.STAGE, results, "caption_table/captions", {}, inputs)
    return Captioned(results, checkpoints, [one, two], index, scored, table.manifest_path)


def blip2_vectors(given: Captioned) -> Artifact:
    """``embed_images`` by the matcher, run."""
    settings, sources = {"kind": "blip2", "batch_size": 4}, {"encoder": given.checkpoints["matcher"]}
    return run(embed_images.STAGE, given.results, "embed_images/blip2", settings, {"images": given.index}, {}, sources)
