"""Sources of captioned images: tables, tars, COCO files and text files, damaged or absurd."""

import json
import random
from pathlib import Path

from tests.fuzz.mutate import TEXTS, json_text, mutate_bytes, mutate_tree
from tests.fuzz.parquet_files import parquet
from tests.fuzz.tar_files import tar
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.images import pictures
from workflow_scripts.acquisition.annotations.formats.columns import Columns
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import layout_of
from workflow_scripts.acquisition.annotations.own import gather, samples_of
from workflow_scripts.acquisition.annotations.rows import Filter

PATHS = ("a.jpg", "sub/b.jpg", "../a.jpg", "/etc/passwd", "", "\0", "sub", "c.jpg", "https://a.test/1.jpg")


class Fuzzed(Target):
    """A folder with images and one description of them."""

    def make(self, rng: random.Random) -> Files:
        """Two images, and rows that may name them."""
        images = {"in/a.jpg": pictures()[0], "in/sub/b.jpg": pictures()[0]}
        return images | rng.choice((_csv, _json_lines, _parquet, _coco, _tar, _texts))(rng)

    def run(self, folder: Path) -> str:
        """As the stage reads it; every row must be kept or counted."""
        source = folder / "in"
        files = SourceFiles(source, None)
        samples = samples_of(layout_of(source), Columns(), files)
        counts = gather(source, samples, Filter(None, None), 1000, folder / "kept", folder / "apart", folder)
        assert counts["rows"] == counts["kept"] + sum(counts["apart"].values()) - counts["apart"].get("no_row", 0)
        return "accepted"


def _rows(rng: random.Random) -> list[dict[str, str]]:
    count = rng.choice((1, 3, 8))
    return [{"image": rng.choice(PATHS), "caption": rng.choice((*TEXTS, "a cat")), "id": f"i{n}"} for n in range(count)]


def _damaged(data: bytes, rng: random.Random) -> bytes:
    return mutate_bytes(data, rng, most=2) if rng.random() < 0.4 else data


def _csv(rng: random.Random) -> Files:
    lines = ["image,caption,id", *(",".join(row.values()) for row in _rows(rng))]
    return {"in/t.csv": _damaged("\n".join(lines).encode(errors="surrogatepass"), rng)}


def _json_lines(rng: random.Random) -> Files:
    return {"in/t.jsonl": _damaged(b"\n".join(json_text(mutate_tree(row, rng), rng) for row in _rows(rng)), rng)}


def _parquet(rng: random.Random) -> Files:
    rows = _rows(rng)
    texts = {name: [row[name].encode(errors="replace").decode() for row in rows] for name in rows[0]}
    return {"in/t.parquet": parquet(texts, rng)}


def _coco(rng: random.Random) -> Files:
    rows = _rows(rng)
    images = [{"id": number, "file_name": row["image"]} for number, row in enumerate(rows)]
    notes = [{"id": number, "image_id": number // 2, "caption": row["caption"]} for number, row in enumerate(rows)]
    tree = {"images": images, "annotations": notes}
    return {"in/t.json": _damaged(json_text(mutate_tree(tree, rng) if rng.random() < 0.5 else tree, rng), rng)}


def _tar(rng: random.Random) -> Files:
    members = {}
    for number, row in enumerate(_rows(rng)):
        members[f"{number}.jpg"] = pictures()[0]
        members[f"{number}.txt"] = row["caption"].encode(errors="surrogatepass")
        members[f"{number}.json"] = json.dumps(mutate_tree(row, rng)).encode() if rng.random() < 0.5 else b"{}"
    return {"in/0.tar": tar(members, rng)}


def _texts(rng: random.Random) -> Files:
    return {f"in/{name}.txt": _damaged(b"a caption", rng) for name in ("a", "sub/b", "alone")}
