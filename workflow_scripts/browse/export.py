"""One self-contained HTML file with the images of a view, for a paper's supplement."""

from typing import Any

from markupsafe import Markup

from workflow_scripts.browse.index import Index
from workflow_scripts.browse.pages import LABELS, cards, marked, page, partners, style
from workflow_scripts.browse.pictures import picture
from workflow_scripts.browse.view import View
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.reporting.page import policy
from workflow_scripts.reporting.thumbnails import data_address

SIDE, PARTNER_SIDE = 320, 128  # pixels of the longer side


def sample(index: Index, images: Artifact, view: View, count: int) -> tuple[bytes, list[str]]:
    """The page with the first ``count`` images of a view, and the keys of all images on it; equal input, equal bytes.

    Each image has its captions, scores, and its best partner in every pair table. The page needs no network and has no
    script.

    Args:
        images: the ``image_index``.

    Raises:
        PipelineError: the view is invalid, or an image can't be read.
    """
    found = index.find(view, count)
    arms = index.about["arms"]
    shown: list[dict[str, Any]] = []
    keys: list[str] = []
    for card in cards(index, found.rows, marked(index, view)):
        near = {name: some[0] for name, some in partners(index, card["row"], 1).items() if some}
        for one, side in ((card, SIDE), *((partner, PARTNER_SIDE) for partner in near.values())):
            one["picture"] = Markup(data_address("jpeg", picture(images, one, side)))
            keys.append(one["key"])
        scores = index.scores_of(card["row"])
        names = dict.fromkeys(name for arm, name in index.about["scores"] if f"{arm}/{name}" in scores)
        card["scores"] = {name: [scores.get(f"{arm}/{name}") for arm in arms] for name in names}
        shown.append({**card, "partners": near})
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
    return body, keys
