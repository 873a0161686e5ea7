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
    """What is said of a difference: "subject better", "subject worse", "it is unclear whether subject better"."""
    return Part(
        contrast, f"{subject} {better}", f"{subject} {worse}", f"it is unclear whether {subject} {better}", unit, scale
    )


_REPLACING = "replacing titles by generated captions that fit better"
_DOSES = "accuracy rises with the share of faithful captions", "accuracy falls with the share of faithful captions"
_NONE = (
    "language pairs without faithful captions match an untrained network within the margin",
    "language pairs without faithful captions differ from an untrained network by more than the margin",
    "it is unclear whether language pairs without faithful captions match an untrained network within the margin",
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
                "on the judge's scale",
                1,
            ),
            _difference(
                "human - title",
                "human captions",
                "fit their images better than titles, half of which are of other images",
                "fit their images worse than titles, half of which are of other images",
                "on the judge's scale",
                1,
            ),
            _difference(
                "original - shuffled",
                "titles",
                "fit their own images better than other images of the same group",
                "fit other images of the same group better than their own",
                "on the judge's scale",
                1,
            ),
        ),
        "35 % of titles say something true of their image",
        "How people would rate these captions, since the judges are models; captions from other sources.",
    ),
    Claim(
        "C2",
        "Does language guidance get better if poor captions are replaced?",
        (
            _difference(
                "revised - original",
                "replacing titles by generated captions that fit better",
                "raises accuracy",
                "lowers accuracy",
            ),
            _difference(
                "revised - original (short)",
                "replacing titles by generated captions that fit better",
                "raises accuracy",
                "lowers accuracy",
            ),
            _difference(
                "human - title",
                "accuracy is",
                "higher with human captions than with titles",
                "lower with human captions than with titles",
            ),
            _difference(
                "human - title (short)",
                "accuracy is",
                "higher with human captions than with titles",
                "lower with human captions than with titles",
            ),
        ),
        "generated captions name the object and most titles do not, and the captioner learned from the generator of "
        "the images",
        "Captioners, networks and lengths of training other than these.",
    ),
    Claim(
        "C3",
        "Does language guidance help only where captions are faithful?",
        (
            Part(
                "slope over the share of faithful captions",
                *_DOSES,
                f"it is unclear whether {_DOSES[0]}",
                "points from 0 to 100 %",
            ),
            Part(
                "slope over the share of faithful captions (short)",
                *_DOSES,
                f"it is unclear whether {_DOSES[0]}",
                "points from 0 to 100 %",
            ),
            Part("no faithful captions - untrained", *_NONE),
            _difference(
                "slope over precision",
                "accuracy",
                "rises with the share of named properties that are right",
                "falls with the share of named properties that are right",
                "points from 0 to 100 %",
            ),
            _difference(
                "slope over coverage",
                "accuracy",
                "rises as captions name more of an image's properties",
                "falls as captions name more of an image's properties",
                "points from 0 to 100 %",
            ),
            _difference(
                "precision by coverage",
                "the gain from being right",
                "is larger where captions name more properties",
                "is smaller where captions name more properties",
            ),
        ),
        "faithful captions name the object",
        "Captions that are wrong in a consistent way: unfaithful ones are swapped between images or drawn at random.",
    ),
    Claim(
        "C4",
        "Does language guidance overfit earlier than self-supervision?",
        (
            _difference(
                "later - earlier (language - self)",
                "language pairs",
                "gain less from longer training than self pairs",
                "gain more from longer training than self pairs",
            ),
            _difference(
                "later - earlier (language)",
                "accuracy of language pairs",
                "falls with longer training, as in overfitting",
                "still rises with longer training, so overfitting is not seen",
            ),
        ),
        "",
        "Where the peak is: schedules of three lengths are compared, not the checkpoints of one.",
    ),
    Claim(
        "C5",
        "Do larger sentence vectors give better pairs and networks?",
        (
            _difference(
                "purity over log2 of the dimensions",
                "paired images",
                "share a label more often with more dimensions of their captions' vectors",
                "share a label less often with more dimensions of their captions' vectors",
                "points per doubling",
            ),
            _difference(
                "accuracy over log2 of the dimensions",
                "accuracy",
                "rises with more dimensions of captions' vectors",
                "falls with more dimensions of captions' vectors",
                "points per doubling",
            ),
        ),
        "",
        "Other encoders: dimensions are the first coordinates of one encoder's vectors.",
    ),
    Claim(
        "C6",
        "Does the Grad-CAM metric tell networks apart?",
        (
            _difference(
                "orderings",
                "the Grad-CAM metric",
                "puts checkpoints of a training in the order of their steps more often than chance",
                "puts checkpoints of a training in the order of their steps less often than chance",
                "points above chance",
            ),
        ),
        "",
        "That a network looks at objects, since the probe's own gains can give the same order.",
    ),
    Claim(
        "C7",
        "Is the published gain due to pairs, or to the augmentation that was changed with them?",
        (
            _difference(
                "pairs (language - self)",
                "language pairs",
                "are better than self pairs, on average over both augmentations",
                "are worse than self pairs, on average over both augmentations",
            ),
            _difference(
                "augmentation (simclr - crop)",
                "SimCLR's augmentation",
                "is better than cropping alone, on average over both kinds of pairs",
                "is worse than cropping alone, on average over both kinds of pairs",
            ),
            _difference(
                "interaction",
                "the lead of language pairs",
                "is larger with cropping alone",
                "is smaller with cropping alone",
            ),
        ),
        "generated captions name the object",
        "Other augmentations, and methods other than SimCLR and SimSiam.",
    ),
    Claim(
        "C8",
        "Are captions chosen for their style instead of their content?",
        tuple(
            Part(
                f"flips ({judge})",
                f"fewer than 5 % of the replacements by the judge {judge} are due to style",
                f"more than 5 % of the replacements by the judge {judge} are due to style",
                f"it is unclear whether more than 5 % of the replacements by the judge {judge} are due to style",
                "%",
            )
            for judge in ("blip2", "clip", "labels", "ridge")
        ),
        "",
        "Which of two captions is right. A replacement counts as due to style if centred scores, which lack the "
        "judge's preference for some wordings, would not make it.",
    ),
)
ORDER = ("C1", "C8", "C5", "C2", "C6", "C7", "C4", "C3")
"""Cheapest first."""
