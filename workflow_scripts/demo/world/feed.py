"""The posts of the demo world: valid ones, ones with the faults of real posts, and the archives that hold them.

Probe tasks and object masks have pictures that are used nowhere else. The bytes of archives depend on their members
alone.
"""

import datetime
import io
import itertools
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.demo.world.settings import DEFAULT, LABELS, World
from workflow_scripts.demo.world.texts import Text, title_of
from workflow_scripts.demo.world.vocabulary import Spec
from workflow_scripts.demo.world.world import scene_of
from workflow_scripts.stats.seeds import derive

HOST = "world.invalid"
SUBREDDITS = {
    "gardenfinds": ("flower", "mushroom", "tree"),
    "outandabout": ("balloon", "boat", "car"),
    "petsandpals": ("cat", "fish"),
    "aroundthehome": ("cup", "gift", "house", "umbrella"),
}
YEARS = (2019, 2020)
_STRAY = 0.08  # share of posts in a subreddit that is about other things
WEB_PAGE = b"<!doctype html><html><head><title>Gone</title></head><body>This post is no longer here.</body></html>\n"
PLACEHOLDER = "removed.png"
ANSWERS = {"dead_link": b"", "placeholder": b"", "html_answer": WEB_PAGE}
FAULTS = (*ANSWERS, "empty_caption")
INFO = {"start_date": f"{YEARS[0]}-01-01", "end_date": f"{YEARS[-1]}-12-31", "url": f"http://{HOST}", "version": "1.0"}
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state


@dataclass(frozen=True)
class Post:
    """One post. `path` is its url's path; `caption` its title, as annotations call it; `picture` is empty where the
    server has none; `spec` is what it shows, `kind` that of the title, and `told` what the title names."""

    image_id: str
    subreddit: str
    year: int
    path: str
    caption: str
    picture: bytes
    spec: Spec
    kind: str
    told: Text
    created_utc: int
    score: int


def encode(picture: np.ndarray, kind: str) -> bytes:
    """JPEG (quality 95, colours at full resolution) or PNG bytes of a picture."""
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    if kind == "jpg":
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def base36(number: int, digits: int) -> str:
    """The lowest `digits` digits of a number in the alphabet of Reddit's ids."""
    return np.base_repr(number % 36**digits, 36).lower().zfill(digits)


def post(seed: int, split: str, index: int, size: int, world: World = DEFAULT) -> Post:
    """Post `index` of a split."""
    spec, picture, _ = scene_of(seed, split, index, size, world)
    rng = np.random.default_rng(derive(seed, "demo_post", split, index))
    home = next(name for name, concepts in SUBREDDITS.items() if spec.concept in concepts)
    subreddit = str(rng.choice(list(SUBREDDITS))) if rng.random() < _STRAY else home
    year = int(rng.choice(YEARS))
    start = int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp())
    # the index in the id keeps ids apart, the hashed part makes them look drawn
    image_id = base36(index, 3) + base36(derive(seed, "demo_id", split, index), 4)
    picture_type = "png" if rng.random() < 0.1 else "jpg"
    kind, told = title_of(seed, split, index, subreddit, world)
    return Post(
        image_id=image_id,
        subreddit=subreddit,
        year=year,
        path=f"{subreddit}/{image_id}.{picture_type}",
        caption=told.text,
        picture=encode(picture, picture_type),
        spec=spec,
        kind=kind,
        told=told,
        created_utc=start + int(rng.integers(365 * 86400)),
        score=int(rng.geometric(0.02)),
    )


def truth_table(posts: Sequence[Post]) -> pa.Table:
    """What posts show and their titles say, in the order of the posts.

    Returns:
        image_id; concept, colour, texture, size, scene, place, which the picture shows; title_kind (truthful, vague,
        topical or wrong; all string); title_named, title_wrong: the properties that the title names, and those of them
        that are wrong (list of string).
    """
    texts = pa.list_(pa.string())
    columns: dict[str, Any] = {
        "image_id": [one.image_id for one in posts],
        **{name: [getattr(one.spec, name) for one in posts] for name in LABELS},
        "title_kind": [one.kind for one in posts],
        "title_named": pa.array([list(one.told.told) for one in posts], texts),
        "title_wrong": pa.array([one.told.wrong(one.spec) for one in posts], texts),
    }
    return pa.table(columns)


def good_posts(seed: int, count: int, oversized: int, size: int, world: World) -> Iterator[Post]:
    """`count` posts whose picture can be fetched, `size` pixels wide and high; twice that for `oversized` of them."""
    # evenly spread
    doubled = {index * count // oversized for index in range(oversized)} if oversized else set()
    for index in range(count):
        yield post(seed, "post", index, size * 2 if index in doubled else size, world)


def faulty_posts(
    seed: int, start: int, counts: Mapping[str, int], size: int, world: World
) -> Iterator[tuple[str, Post]]:
    """Posts of each of FAULTS, as many as `counts` says; their ids go on from number `start`."""
    index = itertools.count(start)
    for fault in FAULTS:
        for _ in range(counts.get(fault, 0)):
            one = post(seed, "post", next(index), size, world)
            yield fault, replace(one, caption="") if fault == "empty_caption" else replace(one, picture=ANSWERS[fault])


def repeats(posts: list[Post], count: int) -> Iterator[Post]:
    """`count` posts given a second time in the same file, with another title, as happens in RedCaps."""
    for index in range(count):
        one = posts[index * len(posts) // count]
        yield replace(one, caption=one.caption + ", again")


def row(one: Post) -> dict[str, Any]:
    """The post as an annotation of RedCaps v1.0."""
    slug = "_".join("".join(c if c.isalnum() else " " for c in one.caption).split())[:50]
    return {
        "image_id": one.image_id,
        "author": "somebody",
        "subreddit": one.subreddit,
        "url": f"http://{HOST}/{one.path}",
        "caption": one.caption,
        "raw_caption": one.caption[:1].upper() + one.caption[1:],
        "score": one.score,
        "created_utc": one.created_utc,
        "permalink": f"/r/{one.subreddit}/comments/{one.image_id}/{slug}/",
    }


def annotation_files(posts: Iterable[Post]) -> dict[str, bytes]:
    """Members of the annotations zip: `annotations/<subreddit>_<year>.json`, posts by time."""
    files: dict[str, list[Post]] = defaultdict(list)
    for one in posts:
        files[f"annotations/{one.subreddit}_{one.year}.json"].append(one)
    return {
        name: pretty(
            {"info": INFO, "annotations": [row(one) for one in sorted(files[name], key=lambda p: p.created_utc)]}
        )
        for name in sorted(files)
    }


def routes(placeholders: Iterable[Post], pages: Iterable[Post]) -> bytes:
    """The images zip's `routes.json`: URLs that redirect and URLs whose response is not an image."""
    return pretty(
        {
            "redirects": {one.path: PLACEHOLDER for one in placeholders},
            "types": {one.path: "text/html; charset=utf-8" for one in pages},
        }
    )


def placeholder() -> bytes:
    """PNG bytes of a plain grey 161 x 81 image, the size of Imgur's `removed.png`."""
    image = Image.new("RGB", (161, 81), (34, 34, 34))
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 24, 140, 56), outline=(200, 200, 200), width=2)
    draw.line((20, 24, 140, 56), fill=(200, 200, 200), width=2)
    return encode(np.asarray(image), "png")


def write_zip(path: Path, members: Mapping[str, bytes], compress: bool = False) -> None:
    """Members in the given order, all with one fixed time; stored as they are unless `compress`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)


def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
    """Members in the given order, without owner and time."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def probe_pictures(seed: int, train: int, test: int, size: int, world: World) -> list[tuple[str, str, Spec, bytes]]:
    """Split, name, what it shows and PNG bytes of every probe picture; all tasks share them."""
    found = []
    for split, count in (("train", train), ("test", test)):
        for index in range(count):
            spec, picture, _ = scene_of(seed, f"probe_{split}", index, size, world)
            found.append((split, f"{index:05d}.png", spec, encode(picture, "png")))
    return found


def probe_members(pictures: list[tuple[str, str, Spec, bytes]], task: str) -> dict[str, bytes]:
    """Members of one task's tar: `train|test/<class>/<name>.png`."""
    return {f"{split}/{getattr(spec, task)}/{name}": data for split, name, spec, data in pictures}


def masked_pictures(seed: int, count: int, size: int, world: World) -> Iterator[tuple[str, str, bytes, bytes]]:
    """Id, concept, PNG of the picture and PNG of its mask (0 background, 1 object, 255 border)."""
    for index in range(count):
        spec, picture, mask = scene_of(seed, "masks", index, size, world)
        yield f"world_{index:05d}", spec.concept, encode(picture, "png"), encode(np.asarray(mask), "png")


def label_table(labels: dict[str, str]) -> pa.Table:
    """Table image_id, file, mask, label (string) of masked pictures, given as id -> concept."""
    files, masks = ([f"{folder}/{image}.png" for image in labels] for folder in ("images", "masks"))
    return pa.table({"image_id": list(labels), "file": files, "mask": masks, "label": list(labels.values())})
