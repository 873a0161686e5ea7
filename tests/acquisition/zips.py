"""Annotation zips in RedCaps' layout, made by hand."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def row(image_id: Any, **changed: Any) -> dict[str, Any]:
    """A good annotation row, with fields changed."""
    good = {
        "image_id": image_id,
        "author": "someone",
        "subreddit": "pics",
        "url": f"https://i.redd.it/{image_id}.jpg",
        "caption": f"a picture of {image_id}",
        "raw_caption": f"A picture of {image_id}",
        "score": 3,
        "created_utc": None,
        "permalink": f"/r/pics/comments/{image_id}/",
    }
    return {**good, **changed}


def write_zip(path: Path, files: Mapping[str, Sequence[Any] | bytes], names: Sequence[str] | None = None) -> Path:
    """Write ``files`` (name without folder and ending -> rows, or raw bytes) in the order of ``names``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", "about these files")
        for name in names or list(files):
            content = files[name]
            data = content if isinstance(content, bytes) else json.dumps({"info": {}, "annotations": content}).encode()
            archive.writestr(f"annotations/{name}.json", data)
    return path
