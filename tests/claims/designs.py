"""The runs and contrasts of the claims' studies, as the demo has them, with pair tables of our own."""

from typing import Any

from tests.claims.made_up import arm
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun

DOSES = {"dose000": 0.0, "dose025": 0.25, "dose050": 0.5, "dose075": 0.75, "dose100": 1.0}
LINES = {"0": (0.6, 0.4, 0.2, 0.0, -0.2), "1/2": (0.2,) * 5, "1": (-0.2, 0.0, 0.2, 0.4, 0.6)}
"""Weights of the doses in the least-squares line at a share."""
CELLS = {f"p{p}c{c}": (p / 2, c / 2) for p in range(3) for c in range(3)}
"""Precision and coverage of captions."""
DIMENSIONS = {"d8": 3.0, "d16": 4.0, "d64": 6.0, "d384": 8.585}
"""Logarithm of the dimensions."""


def primary(name: str, *terms: dict[str, Any], **more: Any) -> Contrast:
    return Contrast.model_validate({"name": name, "terms": terms, "primary": True, **more})


def difference(name: str, plus: dict[str, Any], minus: dict[str, Any], **more: Any) -> Contrast:
    return primary(name, {"weight": 1, **plus}, {"weight": -1, **minus}, **more)


def _doses(suffix: str, tag: str) -> list[Contrast]:
    at = [{"at": share, "pairs": pairs, "tag": tag} for pairs, share in DOSES.items()]
    found = [primary(f"slope over the share of faithful captions{suffix}", *at, test="slope")]
    for share, weights in LINES.items():
        line = [{"weight": one, "pairs": pairs, "tag": tag} for pairs, one in zip(DOSES, weights, strict=True) if one]
        of_self = {"weight": -1, "pairs": "self", "tag": tag}
        found.append(primary(f"line at {share} - self{suffix}", *line, of_self, per=[]).model_copy(
            update={"primary": False}))  # fmt: skip
    return found


C2 = [
    difference(f"revised - original{suffix}", {"pairs": "revised", "tag": tag}, {"pairs": "original", "tag": tag})
    for suffix, tag in (("", ""), (" (short)", "short"))
]
C3 = [
    *_doses("", ""),
    *_doses(" (short)", "short"),
    difference(
        "no faithful captions - untrained",
        {"pairs": "dose000", "tag": ""},
        {"method": "untrained"},
        test="equivalence",
        margin=5,
    ),
]
C3_CELLS = [
    primary("slope over precision", *({"at": p, "pairs": name} for name, (p, _) in CELLS.items()), test="slope"),
    primary("slope over coverage", *({"at": c, "pairs": name} for name, (_, c) in CELLS.items()), test="slope"),
    primary(
        "precision by coverage",
        *({"weight": sign, "pairs": name} for name, sign in (("p2c2", 1), ("p0c2", -1), ("p2c0", -1), ("p0c0", 1))),
    ),
]
C4 = [
    primary(
        "later - earlier (language - self)",
        *(
            {"weight": sign, "pairs": pairs, "tag": tag}
            for pairs, tag, sign in (
                ("revised", "long", 1), ("revised", "", -1), ("self", "long", -1), ("self", "", 1)
            )
        ),
        varies=["budget"],
        expected=-1,
    ),
    difference(
        "later - earlier (language)",
        {"pairs": "revised", "tag": "long"},
        {"pairs": "revised", "tag": ""},
        varies=["budget"],
        expected=-1,
    ),
]  # fmt: skip
C5 = [
    primary(
        "purity over log2 of the dimensions",
        *({"at": at, "pairs": pairs} for pairs, at in DIMENSIONS.items()),
        test="slope",
        endpoint="pair_purity",
    ),
    primary(
        "accuracy over log2 of the dimensions",
        *({"at": at, "pairs": pairs} for pairs, at in DIMENSIONS.items()),
        test="slope",
    ),
]
C7 = [
    primary(
        name,
        *(
            {"weight": weight, "pairs": pairs, "augmentation": augmentation}
            for (pairs, augmentation), weight in zip(
                (("revised", "crop"), ("revised", "simclr"), ("self", "crop"), ("self", "simclr")), weights, strict=True
            )
        ),
        per=[],
    )
    for name, weights in (
        ("pairs (language - self)", (0.5, 0.5, -0.5, -0.5)),
        ("augmentation (simclr - crop)", (-0.5, 0.5, -0.5, 0.5)),
        ("interaction", (1, -1, -1, 1)),
    )
]
OF_SCORES = {"endpoint": "caption_score", "judge": "labels"}
C1 = [
    difference("generated - original", {"arm": "generated"}, {"arm": "original"}, **OF_SCORES),
    difference("original - shuffled", {"arm": "original"}, {"arm": "shuffled"}, **OF_SCORES),
    primary(
        "original - (generated + shuffled) / 2",
        *({"weight": weight, "arm": of} for of, weight in (("original", 1), ("generated", -0.5), ("shuffled", -0.5))),
        **OF_SCORES,
    ).model_copy(update={"primary": False}),
]
C6 = [Contrast(name="orderings", endpoint="orderings", primary=True)]
C8 = [
    Contrast(
        name=f"flips ({judge})",
        endpoint="flips",
        judge=judge,
        minuend="revised",
        subtrahend="original",
        test="equivalence",
        margin=5,
        primary=True,
    )
    for judge in ("blip2", "labels")
]


def _arms(pairs: tuple[str, ...], tags: dict[str, int], seeds: int = 3) -> list[SummaryRun]:
    return [run for tag, steps in tags.items() for name in pairs for run in arm(name, seeds, tag=tag, steps=steps)]


SHORT = {"": 400, "short": 100}
STEPS = ("step-000010", "step-000063", "step-000160", "last")
RUNS = {
    "c2": _arms(("original", "revised", "self", "shuffled"), SHORT),
    "c3": [*_arms((*DOSES, "self"), SHORT, 5), *arm("none", 5, "untrained", "none")],
    "c3-cells": _arms(tuple(CELLS), {"": 400}),
    "c4": _arms(("revised", "self"), {"short": 100, "": 400, "long": 1600}),
    "c5": _arms(tuple(DIMENSIONS), {"": 400}),
    "c6": [run for pairs in ("revised", "self") for run in arm(pairs, 5, evaluated=STEPS)],
    "c7": [
        run
        for method in ("simclr", "simsiam")
        for pairs in ("revised", "self")
        for augmentation in ("crop", "simclr")
        for run in arm(pairs, 3, method, augmentation)
    ],
}
CONTRASTS = {"c1": C1, "c2": C2, "c3": C3, "c3-cells": C3_CELLS, "c4": C4, "c5": C5, "c6": C6, "c7": C7, "c8": C8}
