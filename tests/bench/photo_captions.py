"""Caption tables of the study of photos, ``tests/config/photos.yaml``.

    python -m tests.bench.photo_captions ../shared/data/redcaps_mini results/photo_captions

Writes ``human.parquet``, the first of each photo's five human captions, and ``revised.parquet``, its title if that is
about the photo, else its second human caption. ``truth.parquet`` says which titles are.
"""

import argparse
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def titles(annotations: Path) -> dict[str, str]:
    """Image id -> title, of the first row of each id, as the workflow uses them."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(annotations) as zipped:
        for name in sorted(zipped.namelist()):
            for row in json.loads(zipped.read(name))["annotations"]:
                found.setdefault(row["image_id"], row["caption"])
    return found


def main() -> None:
    """Write both tables, with the columns of an ``external`` arm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of redcaps_mini")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    title = titles(options.data / "redcaps_mini_annotations.zip")
    photos = pq.read_table(options.data / "truth.parquet").to_pylist()
    captions = {
        "human": [photo["human_captions"][0] for photo in photos],
        "revised": [title[p["image_id"]] if p["faithful"] else p["human_captions"][1] for p in photos],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for arm, texts in captions.items():
        table = pa.table({"key": [photo["image_id"] for photo in photos], "caption": texts})
        pq.write_table(table, options.out / f"{arm}.parquet")


if __name__ == "__main__":
    main()
