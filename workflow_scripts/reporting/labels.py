"""The label sheet: one HTML file in which people rate captions, and the key that says whose captions they were.

Its images are drawn evenly from quintiles of the score difference, and from subreddits within them.
"""

import csv
import hashlib
import io
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from PIL import Image

from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import KEY_COLUMNS, POINTS, RATING_COLUMNS, SCALES
from workflow_scripts.reporting.page import TEMPLATES, environment, policy
from workflow_scripts.reporting.text import caption_text
from workflow_scripts.reporting.thumbnails import thumbnail
from workflow_scripts.stats.seeds import derive

QUINTILES = 5
LETTERS = string.ascii_lowercase  # each names a caption of an image, and is the key that prefers it
MOST_CHARACTERS = 500  # of a caption on the sheet


def stratified(gain: np.ndarray, groups: Sequence[str], images: int, seed: int) -> list[int]:
    """Rows in random order, drawn without replacement.

    Quintiles take turns, and within a quintile the groups take turns in random order, so that a group gives its second
    image only after every other group gave its first. Rare and common groups are therefore drawn alike: the sample does
    not have the data's proportions.

    Args:
        gain: (n,) float, the difference of scores; rows where it is not finite are never drawn.
        groups: (n,) the subreddit of each row.
        images: number of rows; all that have a finite gain if there are fewer.
    """
    finite = np.flatnonzero(np.isfinite(gain))
    rng = np.random.default_rng(derive(seed, "labels", "images"))
    order = rng.permutation(finite)
    ranked = order[np.argsort(gain[order], kind="stable")]  # ties in random order
    queues = [_by_turns(rng.permutation(part).tolist(), groups) for part in np.array_split(ranked, QUINTILES)]
    drawn = [row for turn in range(max(map(len, queues))) for queue in queues for row in queue[turn : turn + 1]]
    return [int(row) for row in rng.permutation(drawn[:images])]


def _by_turns(rows: Sequence[int], groups: Sequence[str]) -> list[int]:
    """``rows`` with the first of each group, then the second of each, and so on."""
    seen: defaultdict[str, int] = defaultdict(int)
    turns: list[tuple[int, int, int]] = []
    for row in rows:
        turns.append((seen[groups[row]], len(turns), row))
        seen[groups[row]] += 1
    return [row for _, _, row in sorted(turns)]


@dataclass(frozen=True)
class Shown:
    """A caption on the sheet.

    Attributes:
        letter: its name on the sheet.
        text: what is shown of it: masked, on one line, not escaped.
        characters: length of the whole caption if only its beginning is shown, else 0.
        arms: the arms that have it.
        digest: hash of the whole caption, by which a later change of it is found.
    """

    letter: str
    text: str
    characters: int
    arms: tuple[str, ...]
    digest: str


def captions_shown(captions: Mapping[str, str], key: str, seed: int) -> list[Shown]:
    """The captions of one image in a random order; arms with the same caption share an entry.

    Args:
        captions: arm -> caption; at most 26 arms.
        key: the image's key.
    """
    arms: dict[str, list[str]] = {}
    for arm in sorted(captions):
        arms.setdefault(captions[arm], []).append(arm)
    texts = list(arms)
    order = np.random.default_rng(derive(seed, "labels", "order", key)).permutation(len(texts))
    return [_shown(letter, texts[at], arms[texts[at]]) for letter, at in zip(LETTERS, order, strict=False)]


def _shown(letter: str, text: str, arms: Sequence[str]) -> Shown:
    seen = caption_text(text, MOST_CHARACTERS)
    cut = len(text) if len(text) > MOST_CHARACTERS and seen.endswith("…") else 0
    return Shown(letter, seen, cut, tuple(arms), digest(text))


@dataclass(frozen=True)
class Item:
    """An image on the sheet, with its blind name."""

    name: str
    key: str
    captions: list[Shown]


def items_of(captions: Mapping[str, Mapping[str, str]], seed: int) -> list[Item]:
    """The items of a sheet in the order of ``captions`` (key -> arm -> caption)."""
    digits = len(str(len(captions)))
    return [
        Item(f"i{number:0{digits}}", key, captions_shown(given, key, seed))
        for number, (key, given) in enumerate(captions.items(), start=1)
    ]


def sheet_name(items: Sequence[Item]) -> str:
    """A name that sheets with other images or captions do not have; it reveals neither keys nor arms."""
    return hashlib.sha256(repr(items).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def key_file(items: Sequence[Item], sheet: str) -> bytes:
    """CSV of ``KEY_COLUMNS``: which image and which arm each blind name stands for, a row per arm."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(KEY_COLUMNS)
    for item in items:
        writer.writerows(
            [sheet, item.name, one.letter, item.key, arm, one.digest] for one in item.captions for arm in one.arms
        )
    return out.getvalue().encode()


def sheet_page(items: Sequence[Item], pictures: Iterable[Image.Image], sheet: str, side: int) -> bytes:
    """The sheet as UTF-8: self-contained, without keys and names of arms; equal input gives equal bytes.

    Args:
        pictures: the items' images, in their order.
        side: longer side of the images on the sheet in pixels; smaller images are not enlarged.
    """
    style, script = ((TEMPLATES / f"labels.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    shown = [
        {"name": item.name, "picture": Markup(thumbnail(picture, side)), "captions": item.captions}
        for item, picture in zip(items, pictures, strict=True)
    ]
    context = {
        "sheet": sheet,
        "items": shown,
        "columns": RATING_COLUMNS,
        "scales": SCALES,
        "points": POINTS,
        "style": Markup(style),
        "script": Markup(script),
        "policy": policy(style, script),
    }
    return environment().get_template("labels.html").render(context).encode("utf-8")
