"""The pages and images of the browser, and one self-contained page of a view, for a paper's supplement.

All text is escaped by the templates; the pages have no script.
"""

import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from jinja2 import Environment
from markupsafe import Markup

from workflow_scripts.browse.index import Caption, Index
from workflow_scripts.browse.view import LONGEST, PER_PAGE, View
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import hash_column, images_in_shards
from workflow_scripts.reporting.page import TEMPLATES as REPORT
from workflow_scripts.reporting.page import environment, policy
from workflow_scripts.reporting.text import arm_class, plain
from workflow_scripts.reporting.thumbnails import data_address, reduced

TEMPLATES = Path(__file__).parent / "templates"
ORDERS = {
    "": "as stored",
    "high": "highest first",
    "low": "lowest first",
    "far": "farthest from 0",
    "near": "closest to 0",
    "random": "random",
}
MOST_DISAGREEMENTS = 3  # views of an arm on which two judges disagree
LABELS = {name: name for name in View.model_fields}  # of the fields of a view
LABELS |= {"q": "search", "arm": "in", "versus": "minus", "lowest": "from", "highest": "to"}
SIDE, PARTNER_SIDE = 320, 128  # pixels of the longer side


@cache
def templates() -> Environment:
    """The templates with their filters."""
    made = environment(TEMPLATES)
    made.filters.update(arm_class=arm_class, plain=plain, score=score_label)
    return made


def style() -> str:
    """The style sheet: that of the report, and the browser's own rules."""
    return "".join(path.read_text(encoding="utf-8") for path in (REPORT / "style.css", TEMPLATES / "browse.css"))


def score_label(name: str) -> str:
    """``original/blip2 itm_centred`` -> "original: blip2 itm, centred"; the arm may be missing."""
    shown = name.replace("/", ": ", 1)
    return f"{shown.removesuffix('_centred')}, centred" if shown.endswith("_centred") else shown


def page(name: str, **context: Any) -> bytes:
    """A template rendered as UTF-8."""
    return templates().get_template(name).render(context).encode("utf-8")


def list_page(index: Index, view: View, study: Path) -> bytes:
    """The images of a view.

    Raises:
        PipelineError: see :meth:`Index.find`.
    """
    found, score = index.find(view), marked(index, view)
    return page(
        "list.html",
        root="",
        about=index.about,
        view=view,
        command=f"faithful-pairs browse {shlex.quote(str(study))}",
        orders=ORDERS,
        longest=LONGEST,
        by_arm=_by_arm(index),
        presets=presets(index),
        images=cards(index, found.rows, score),
        marked=score,
        values=None if found.values is None else found.values.tolist(),
        total=found.total,
        pages=max(1, -(-found.total // PER_PAGE)),
        ranks=bool(view.versus) and not index.same_scale(view),
    )


def cards(index: Index, rows: list[int], score: str = "") -> list[dict[str, Any]]:
    """What a card shows of each image: where it is from, ``captions``, and ``marks``: arm -> its value of ``score``."""
    return [
        {**image, "captions": given, "marks": _marks(index.scores_of(image["row"]), score)}
        for image, given in zip(index.images(rows), index.captions(rows), strict=True)
    ]


def _marks(scores: dict[str, float], score: str) -> dict[str, float]:
    split = ((name.partition("/"), value) for name, value in scores.items())
    return {arm: value for (arm, _, name), value in split if name == score}


def marked(index: Index, view: View) -> str:
    """The score that cards of a view show beside each arm: that of the view, else the first one; empty if none."""
    return view.score.partition("/")[2] or next((name for _, name in index.about["scores"]), "")


def image_page(index: Index, row: int) -> bytes:
    """One image with everything that is known about it.

    Raises:
        PipelineError: there is no such row.
    """
    (image,) = cards(index, [row])
    return page(
        "image.html",
        root="../",
        about=index.about,
        image=image,
        scores=_scores(index, row),
        pairs=partners(index, row),
        artifacts=sorted(label for label in index.about["inputs"] if _holds(label, image["shard"])),
    )


def _scores(index: Index, row: int) -> dict[str, list[float | None]]:
    """Name -> value of each arm, None where it has none; of the scores that the image has."""
    scores, arms = index.scores_of(row), index.about["arms"]
    names = dict.fromkeys(name for arm, name in index.about["scores"] if f"{arm}/{name}" in scores)
    return {name: [scores.get(f"{arm}/{name}") for arm in arms] for name in names}


def _holds(label: str, shard: int) -> bool:
    """Whether an artifact has rows of a shard: names of scores end in the block of shards, ``<first>-<last>``."""
    if not label.startswith("score_captions/"):
        return True
    first, last = label.rpartition(".")[2].split("-")
    return int(first) <= shard <= int(last)


def partners(index: Index, row: int, most: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """Pair table -> cards of the image's partners (``most`` at most), with ``rank``, ``cosine`` and one ``caption``."""
    found, arms = {}, index.about["compared"]
    for name, neighbours in index.neighbours(row).items():
        shown = cards(index, [one.row for one in neighbours[:most]])
        found[name] = [
            {**card, "rank": one.rank, "cosine": one.cosine, "caption": _caption_for(arms[name], card["captions"])}
            for one, card in zip(neighbours, shown, strict=False)
        ]
    return found


def _caption_for(compared: str | None, captions: list[Caption]) -> Caption:
    """The caption of the arm that a pair table compares; the first if it compares images, or the arm is not shown."""
    return next((one for one in captions if compared in one.arms), captions[0])


def _by_arm(index: Index) -> dict[str, list[str]]:
    scores = index.about["scores"]
    return {arm: [name for other, name in scores if other == arm] for arm, _ in scores}


def presets(index: Index) -> list[tuple[str, str]]:
    """Name and address of views to start from: best and worst cases, disagreement, and what recaptioning changes."""
    by_arm, views = _by_arm(index), [("random", View(order="random"))]
    for arm, names in by_arm.items():
        score = f"{arm}/{names[0]}"
        views += [
            (f"{arm}: best {names[0]}", View(score=score, order="high")),
            (f"{arm}: worst {names[0]}", View(score=score, order="low")),
        ]
        others = [
            name for name in names[1:] if not name.endswith("_centred") and name.split()[-1] != names[0].split()[-1]
        ]
        for other in others[:MOST_DISAGREEMENTS]:
            title = f"{arm}: {names[0]} and {other} disagree"
            views.append((title, View(score=score, versus=f"{arm}/{other}", order="far")))
    for arm in by_arm:
        common = [name for name in by_arm.get("original", ()) if name in by_arm[arm]]
        if arm != "original" and common:
            both = {"score": f"{arm}/{common[0]}", "versus": f"original/{common[0]}"}
            views += [
                (f"{arm} gains most over original", View(**both, order="high")),
                (f"{arm} loses most to original", View(**both, order="low")),
            ]
    return [(name, view.address()) for name, view in views]


def picture(images: Artifact, place: dict[str, Any], side: int) -> bytes:
    """JPEG of an image, whose longer side has at most ``side`` pixels.

    The stored bytes are from the internet. What is returned is made from the decoded pixels, so that a browser never
    sees them.

    Args:
        images: the ``image_index``.
        place: ``shard``, ``offset``, ``size`` and ``sha256``, as in the index.

    Raises:
        PipelineError: the shard is missing, damaged, or not the one that was indexed.
    """
    row = pa.Table.from_pylist([{name: place[name] for name in ("shard", "offset", "size", "sha256")}])
    return reduced(images_in_shards(images, row, hash_column(row["sha256"])).image(0), side)


def sample(index: Index, images: Artifact, view: View, count: int) -> tuple[bytes, list[str], int]:
    """The page with the first ``count`` images of a view; equal input, equal bytes.

    Each image has its captions, scores, and its best partner in every pair table. The page needs no network and has no
    script.

    Args:
        images: the ``image_index``.

    Returns:
        The page, the keys of all images on it, partners included, and how many images of the view it has.

    Raises:
        PipelineError: the view is invalid, or an image can't be read.
    """
    found = index.find(view, count)
    shown: list[dict[str, Any]] = []
    keys: list[str] = []
    for card in cards(index, found.rows, marked(index, view)):
        near = {name: some[0] for name, some in partners(index, card["row"], 1).items() if some}
        for one, side in ((card, SIDE), *((partner, PARTNER_SIDE) for partner in near.values())):
            one["picture"] = Markup(data_address("jpeg", picture(images, one, side)))
            keys.append(one["key"])
        shown.append({**card, "scores": _scores(index, card["row"]), "partners": near})
    rules = style()
    body = page(
        "sample.html",
        about=index.about,
        labels=LABELS,
        view=view.model_dump(exclude_defaults=True),
        images=shown,
        marked=marked(index, view),
        values=None if found.values is None else found.values.tolist(),
        total=found.total,
        key=index.folder.name[:12],
        style=Markup(rules),
        policy=policy(rules),
    )
    return body, keys, len(shown)
