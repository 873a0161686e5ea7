"""The eight claims: what each asks, and what is said of each primary contrast of its studies, by verdict.

The design is in the studies' configs, `profiles/claims/<scale>/<study>.yaml`. A study's file is named after its claim:
`c3.yaml`, `c3-cells.yaml`.
"""

import re
from dataclasses import dataclass

SCALES = {"demo": "In the demo's world", "photos": "On the photos", "full": "In the full study"}
"""What a sentence of each scale begins with."""


_MARKS = re.compile(r"[\[|\]]")


@dataclass(frozen=True)
class Part:
    """What is said of one primary contrast.

    Attributes:
        supported, contradicted, inconclusive: by verdict; an equivalence is never contradicted.
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
        limits: what the studies do not show.
        built_in: what the demo's world has built in; empty if nothing.
    """

    name: str
    question: str
    parts: tuple[Part, ...]
    limits: str
    built_in: str = ""


def _either(contrast: str, sentence: str, unit: str = "points", scale: float = 100) -> Part:
    """What is said of a difference or an equivalence, from "subject [supported|contradicted] rest"."""
    before, supported, contradicted, after = _MARKS.split(sentence)
    better, worse = (f"{before}{words}{after}" for words in (supported, contradicted))
    return Part(contrast, better, worse, f"it is unclear whether {better}", unit, scale)


def _at_lengths(contrast: str, sentence: str, unit: str = "points") -> list[Part]:
    """The same for a contrast of complete trainings, and of short ones."""
    return [_either(f"{contrast}{length}", sentence, unit) for length in ("", " (short)")]


def _flips(judge: str) -> Part:
    """What is said of an equivalence."""
    due = f"than 5 % of the replacements by the judge {judge} are due to style"
    return Part(f"flips ({judge})", f"fewer {due}", f"more {due}", f"it is unclear whether more {due}", "%")


JUDGED, SHARE, DOUBLING = "on the judge's scale", "points from 0 to 100 %", "points per doubling"
CLAIMS = (
    Claim(
        "C1",
        "Do the captions that come with images describe them poorly?",
        (
            _either(
                "generated - original", "generated captions fit their images [better|worse] than titles do", JUDGED, 1
            ),
            _either(
                "human - title",
                "human captions fit their images [better|worse] than titles, half of which are of other images",
                JUDGED,
                1,
            ),
            _either(
                "original - shuffled",
                "titles fit [their own images better than other images of the same group|other images of the same "
                "group better than their own]",
                JUDGED,
                1,
            ),
        ),
        "How people would rate these captions, since the judges are models; captions from other sources.",
        "35 % of titles say something true of their image",
    ),
    Claim(
        "C2",
        "Does language guidance get better if poor captions are replaced?",
        (
            *_at_lengths(
                "revised - original", "replacing titles by generated captions that fit better [raises|lowers] accuracy"
            ),
            *_at_lengths("human - title", "accuracy is [higher|lower] with human captions than with titles"),
        ),
        "Captioners, networks and lengths of training other than these.",
        "generated captions name the object and most titles do not, and the captioner learned from the generator of "
        "the images",
    ),
    Claim(
        "C3",
        "Does language guidance help only where captions are faithful?",
        (
            *_at_lengths(
                "slope over the share of faithful captions",
                "accuracy [rises|falls] with the share of faithful captions",
                SHARE,
            ),
            _either(
                "no faithful captions - untrained",
                "language pairs without faithful captions [match an untrained network within|differ from an untrained "
                "network by more than] the margin",
            ),
            _either(
                "slope over precision",
                "accuracy [rises|falls] with the share of named properties that are right",
                SHARE,
            ),
            _either(
                "slope over coverage", "accuracy [rises|falls] as captions name more of an image's properties", SHARE
            ),
            _either(
                "precision by coverage",
                "the gain from being right is [larger|smaller] where captions name more properties",
            ),
        ),
        "Captions that are wrong in a consistent way: unfaithful ones are swapped between images or drawn at random.",
        "faithful captions name the object",
    ),
    Claim(
        "C4",
        "Does language guidance overfit earlier than self-supervision?",
        (
            _either(
                "later - earlier (language - self)",
                "language pairs gain [less|more] from longer training than self pairs",
            ),
            _either(
                "later - earlier (language)",
                "accuracy of language pairs [falls with longer training, as in overfitting|still rises with longer "
                "training, so overfitting is not seen]",
            ),
        ),
        "Where the peak is: schedules of three lengths are compared, not the checkpoints of one.",
    ),
    Claim(
        "C5",
        "Do larger sentence vectors give better pairs and networks?",
        (
            _either(
                "purity over log2 of the dimensions",
                "paired images share a label [more|less] often with more dimensions of their captions' vectors",
                DOUBLING,
            ),
            _either(
                "accuracy over log2 of the dimensions",
                "accuracy [rises|falls] with more dimensions of captions' vectors",
                DOUBLING,
            ),
        ),
        "Other encoders: dimensions are the first coordinates of one encoder's vectors.",
    ),
    Claim(
        "C6",
        "Does the Grad-CAM metric tell networks apart?",
        (
            _either(
                "orderings",
                "the Grad-CAM metric puts checkpoints of a training in the order of their steps [more|less] often than "
                "chance",
                "points above chance",
            ),
        ),
        "That a network looks at objects, since the probe's own gains can give the same order.",
    ),
    Claim(
        "C7",
        "Is the published gain due to pairs, or to the augmentation that was changed with them?",
        (
            _either(
                "pairs (language - self)",
                "language pairs are [better|worse] than self pairs, on average over both augmentations",
            ),
            _either(
                "augmentation (simclr - crop)",
                "SimCLR's augmentation is [better|worse] than cropping alone, on average over both kinds of pairs",
            ),
            _either("interaction", "the lead of language pairs is [larger|smaller] with cropping alone"),
        ),
        "Other augmentations, and methods other than SimCLR and SimSiam.",
        "generated captions name the object",
    ),
    Claim(
        "C8",
        "Are captions chosen for their style instead of their content?",
        tuple(_flips(judge) for judge in ("blip2", "clip", "labels", "ridge")),
        "Which of two captions is right. A replacement counts as due to style if centred scores, which lack the "
        "judge's preference for some wordings, would not make it.",
    ),
)
ORDER = ("C1", "C8", "C5", "C2", "C6", "C7", "C4", "C3")
"""Cheapest first."""
