"""Posts about the demo world: pictures, titles, and the faults that real posts have."""

import datetime
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from PIL import Image

from workflow_scripts.demo.world.settings import FULL, LABELS, World
from workflow_scripts.demo.world.vocabulary import Spec, title
from workflow_scripts.demo.world.world import scene_of, to_image
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


@dataclass(frozen=True)
class Post:
    """One post. `path` is its url's path; `picture` is empty where the server has none; `spec` and `level` say
    what the picture shows and how much of it the title tells."""

    image_id: str
    subreddit: str
    year: int
    path: str
    caption: str
    picture: bytes
    spec: Spec
    level: str
    created_utc: int
    score: int


def encode(picture: np.ndarray, kind: str) -> bytes:
    """JPEG (quality 95, colours at full resolution) or PNG bytes of a picture."""
    buffer = io.BytesIO()
    image: Image.Image = to_image(picture)
    if kind == "jpg":
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        image.save(buffer, "PNG")
    return buffer.getvalue()


def base36(number: int, digits: int = 6) -> str:
    """The lowest `digits` digits of a number in the alphabet of Reddit's ids."""
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(letters[number // 36**place % 36] for place in reversed(range(digits)))


def post(
    seed: int, split: str, index: int, size: int, shares: tuple[float, float, float, float], world: World = FULL
) -> Post:
    """Post `index` of a split; `shares` are those of titles.LEVELS and add up to 1."""
    spec, picture, _ = scene_of(seed, split, index, size, world)
    rng = np.random.default_rng(derive(seed, "demo_post", split, index))
    level = ("faithful", "partial", "vague", "wrong")[int(rng.choice(4, p=shares))]
    home = next(name for name, concepts in SUBREDDITS.items() if spec.concept in concepts)
    subreddit = str(rng.choice(list(SUBREDDITS))) if rng.random() < _STRAY else home
    year = int(rng.choice(YEARS))
    start = int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp())
    # the index in the id keeps ids apart, the hashed part makes them look drawn
    image_id = base36(index, 3) + base36(derive(seed, "demo_id", split, index), 4)
    kind = "png" if rng.random() < 0.1 else "jpg"
    return Post(
        image_id=image_id,
        subreddit=subreddit,
        year=year,
        path=f"{subreddit}/{image_id}.{kind}",
        caption=title(rng, spec, level, world),
        picture=encode(picture, kind),
        spec=spec,
        level=level,
        created_utc=start + int(rng.integers(365 * 86400)),
        score=int(rng.geometric(0.02)),
    )


def truth_table(posts: Sequence[Post]) -> pa.Table:
    """Table image_id, concept, colour, texture, size, scene, faithful (all string), in the order of the posts.

    `faithful` is the title's level: faithful, partial, vague or wrong.
    """
    columns = {"image_id": [one.image_id for one in posts]}
    for name in LABELS:
        columns[name] = [getattr(one.spec, name) for one in posts]
    return pa.table({**columns, "faithful": [one.level for one in posts]})
