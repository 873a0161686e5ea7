"""Downstream sets: tars and folders of images by class, WebDataset shards, parquet and Arrow tables."""

import io
import random
from pathlib import Path

import pyarrow as pa

from tests.fuzz.mutate import mutate_bytes
from tests.fuzz.parquet_files import parquet
from tests.fuzz.tar_files import NAMES, tar
from tests.fuzz.target import Files, Target
from tests.fuzz.targets.images import pictures
from workflow_scripts.evaluation.datasets.dataset_files import Choice, choose, class_list, write_dataset
from workflow_scripts.evaluation.datasets.folder_sets import FolderSet
from workflow_scripts.evaluation.datasets.picture_sets import PictureSet
from workflow_scripts.evaluation.datasets.table_sets import TableSet
from workflow_scripts.evaluation.datasets.webdataset_sets import WebDatasetSet

CHOICE = Choice(seed=0, val_fraction=0.2, test_fraction=0.5, limit={}, min_per_class=1)


class Fuzzed(Target):
    """Archives, folders and tables with train and test, with strange members and broken images."""

    def make(self, rng: random.Random) -> Files:
        """Two archives, one folder tree, one archive of all splits, two shards or two tables."""
        kind = rng.randrange(5)
        if kind == 3:
            return {f"shards/{split}.tar": tar(_samples(rng), rng) for split in ("train", "test")}
        if kind == 4:
            return {f"tables/{split}.{ending}": data for split in ("train", "test") for ending, data in _table(rng)}
        if kind == 0:
            return {f"set/{split}.tar": tar(_images(rng, ""), rng) for split in ("train", "test")}
        if kind == 1:
            return {"task.tar": tar({**_images(rng, "train/"), **_images(rng, "test/")}, rng)}
        images = {f"set/{name}": data for split in ("train/", "test/") for name, data in _images(rng, split).items()}
        strange = [name for name in NAMES if "/" in name and ".." not in name and len(name) < 200 and name[0] != "/"]
        for name in rng.sample(strange, rng.choice((0, 0, 1, 2))):
            if name != "train/a":
                images[f"set/{name}"] = pictures()[7]
        return images

    def run(self, folder: Path) -> str:
        """List, choose, check and copy."""
        task = folder / "task.tar"
        source: PictureSet
        if (folder / "shards").exists():
            source = WebDatasetSet(folder / "shards")
        elif (folder / "tables").exists():
            source = TableSet(folder / "tables", "", "")
        else:
            source = FolderSet(task if task.exists() else folder / "set")
        listing = source.listing()
        entries, _ = choose(listing, CHOICE, source.where)
        table = write_dataset(source, entries, class_list(listing, entries), folder / "out.tar", 1)
        assert len(table) == len({one.name for one in entries})
        return "accepted"


def _images(rng: random.Random, prefix: str) -> dict[str, bytes]:
    broken = rng.random() < 0.2
    images = {}
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.jpg"):
        data = pictures()[7]
        images[prefix + name] = mutate_bytes(data, rng) if broken and rng.random() < 0.3 else data
    return images


def _samples(rng: random.Random) -> dict[str, bytes]:
    labels = (b"0", b"1\n", b"", b"-1", b"\xff", b'{"label": "a"}', b'{"label": [1]}', b"[" * 10_000)
    images = _images(rng, "")
    return {
        name: data
        for image, content in images.items()
        for name, data in ((f"{image[:-4]}.{rng.choice(('cls', 'json'))}", rng.choice(labels)), (image, content))
    }


def _table(rng: random.Random) -> list[tuple[str, bytes]]:
    images = list(_images(rng, "").values())
    structs = [{"bytes": one, "path": "/a"} for one in images]
    columns = {"image": rng.choice((images, structs)), "label": rng.choice(([0, 1, 0, 1], ["a", "b", "a", "b"]))}
    if rng.random() < 0.6:
        return [("parquet", parquet(columns, rng))]
    sink, table = io.BytesIO(), pa.table(columns)
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=rng.choice((1, 4)))
    return [("arrow", mutate_bytes(sink.getvalue(), rng) if rng.random() < 0.7 else sink.getvalue())]
