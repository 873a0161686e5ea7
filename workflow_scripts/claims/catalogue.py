"""The eight claims: what each asks, and what is said of each primary contrast of its studies, by verdict.

The design is in the studies' configs, `profiles/claims/<scale>/<study>.yaml`. A study's file is named after its claim:
`c3.yaml`, `c3-cells.yaml`.
"""

from dataclasses import dataclass

SCALES = {
    "demo": "In the demo's world",
    "photos": "On the photos",
    "full": "In the full study",
}
"""What a sentence of each scale begins with."""


@dataclass(frozen=True)
class Part:
    """What is said of one primary contrast.

    Attributes:
        supported, contradicted, inconclusive: by verdict; an equivalence is contradicted if its interval, at the level
            of 95 %, lies beyond the margin under every objective.
        unit: of the difference, after it has been multiplied by `scale`.
    """

    contrast: str
    supported: str
    contradicted: str
    inconclusive: str
    unit: str = "points"
    scale: float = 100.0


@dataclass(frozen=True)
class Claim:
    """A question with its studies.

    Attributes:
        parts: in the order in which they are said; a study has those of its primary contrasts.
        built_in: what the demo's world has built in; empty if nothing.
        limits: what the studies do not show.
    """

    name: str
    question: str
    parts: tuple[Part, ...]
    built_in: str
    limits: str


def _difference(contrast: str, subject: str, better: str, worse: str, unit: str = "points", scale: float = 100) -> Part:
    """What is said of a difference: "subject better", "subject worse", "it stays open whether subject better"."""
    return Part(
        contrast, f"{subject} {better}", f"{subject} {worse}", f"it stays open whether {subject} {better}", unit, scale
    )


_DOSES = "accuracy rises with the share of faithful captions", "accuracy falls with the share of faithful captions"
_NONE = (
    "language without a faithful caption is as good as an untrained network, within the margin",
    "language without a faithful caption differs from an untrained network by more than the margin",
    "it stays open whether language without a faithful caption is as good as an untrained network",
)

CLAIMS = (
    Claim(
        "C1",
        "Do the captions that come with images describe them poorly?",
        (
            _difference(
                "generated - original",
                "generated captions",
                "fit their images better than titles do",
                "fit their images worse than titles do",
                "of the judge's score",
                1,
            ),
            _difference(
                "human - title",
                "human captions",
                "fit their images better than titles, half of which are of other images",
                "fit their images worse than titles, half of which are of other images",
                "of the judge's score",
                1,
            ),
            _difference(
                "original - shuffled",
                "titles",
                "fit their own images better than others of the same group",
                "fit others of the same group better than their own images",
                "of the judge's score",
                1,
            ),
        ),
        "35 % of titles say something true of their image",
        "How people would rate these captions, and captions of other sources: the judges are models.",
    ),
    Claim(
        "C2",
        "Does language guidance get better if poor captions are replaced?",
        (
            _difference("revised - original", "replacing captions", "helps", "harms"),
            _difference("revised - original (short)", "replacing captions", "helps", "harms"),
            _difference("human - title", "human captions", "are better than titles", "are worse than titles"),
            _difference("human - title (short)", "human captions", "are better than titles", "are worse than titles"),
        ),
        "captions name the object and most titles do not, and the captioner learned from the same generator",
        "Other captioners, networks and lengths of training.",
    ),
    Claim(
        "C3",
        "Does language guidance help only where captions are faithful?",
        (
            Part(
                "slope over the share of faithful captions",
                *_DOSES,
                f"it stays open whether {_DOSES[0]}",
                "points per 100 %",
            ),
            Part(
                "slope over the share of faithful captions (short)",
                *_DOSES,
                f"it stays open whether {_DOSES[0]}",
                "points per 100 %",
            ),
            Part("no faithful captions - untrained", *_NONE),
            _difference(
                "slope over precision", "accuracy", "rises with precision", "falls with precision", "points per 100 %"
            ),
            _difference(
                "slope over coverage", "accuracy", "rises with coverage", "falls with coverage", "points per 100 %"
            ),
            _difference(
                "precision by coverage",
                "precision",
                "matters more where coverage is high",
                "matters less where coverage is high",
            ),
        ),
        "faithful captions name the object",
        "Captions that are wrong in a consistent way: unfaithful ones are exchanged or drawn at random.",
    ),
    Claim(
        "C4",
        "Does language guidance overfit earlier than self-supervision?",
        (
            _difference(
                "later - earlier (language - self)",
                "language",
                "gains less from longer training than self does",
                "gains more from longer training than self does",
            ),
            _difference(
                "later - earlier (language)",
                "language",
                "gets worse with longer training",
                "still gains from longer training",
            ),
        ),
        "",
        "The peak itself: schedules of three lengths are compared, not the checkpoints of one.",
    ),
    Claim(
        "C5",
        "Do larger sentence vectors give better pairs and networks?",
        (
            _difference(
                "purity over log2 of the dimensions",
                "pairs",
                "get purer with more dimensions",
                "get less pure with more dimensions",
                "points per doubling",
            ),
            _difference(
                "accuracy over log2 of the dimensions",
                "accuracy",
                "rises with the dimensions",
                "falls with the dimensions",
                "points per doubling",
            ),
        ),
        "",
        "Other encoders: the dimensions are the first coordinates of one encoder's vectors.",
    ),
    Claim(
        "C6",
        "Does the Grad-CAM metric tell networks apart?",
        (
            _difference(
                "orderings",
                "the metric",
                "orders checkpoints of a training better than chance",
                "orders checkpoints of a training worse than chance",
                "points above chance",
            ),
        ),
        "",
        "That a network looks at objects: the probe's own gains can give the same order (see the study's page).",
    ),
    Claim(
        "C7",
        "Is the gain due to pairs, or to the augmentation that was changed with them?",
        (
            _difference(
                "pairs (language - self)",
                "at equal augmentation, pairs by language",
                "are better than two views of an image",
                "are worse than two views of an image",
            ),
            _difference(
                "augmentation (simclr - crop)",
                "at equal pairs, SimCLR's augmentation",
                "is better than a crop only",
                "is worse than a crop only",
            ),
            _difference(
                "interaction",
                "pairs by language",
                "help more where views are cropped only",
                "help less where views are cropped only",
            ),
        ),
        "captions name the object",
        "Other augmentations and methods than SimCLR and SimSiam.",
    ),
    Claim(
        "C8",
        "Are captions chosen for their style instead of their content?",
        tuple(
            Part(
                f"flips ({judge})",
                f"fewer than 5 % of the replacements by the judge {judge} are due to style",
                f"more than 5 % of the replacements by the judge {judge} are due to style",
                f"it stays open whether more than 5 % of the replacements by the judge {judge} are due to style",
                "%",
            )
            for judge in ("blip2", "clip", "labels", "ridge")
        ),
        "",
        "Which of two captions is right: only whether a judge's choice depends on the image.",
    ),
)
ORDER = ("C1", "C8", "C5", "C2", "C6", "C7", "C4", "C3")
"""From cheap to dear."""
