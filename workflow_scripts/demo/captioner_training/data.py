"""Pictures and texts that the demo's small BLIP-2 learns from; no study draws from this split."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial as bind

import numpy as np

from workflow_scripts.demo.world.vocabulary import (
    COLOUR_ONLY,
    COLOURS,
    CONCEPT_ONLY,
    CONCEPTS,
    ELSEWHERE,
    OTHER_COLOUR,
    SCENES,
    SIZES,
    TEXTURES,
    Spec,
    caption,
    vague,
)
from workflow_scripts.demo.world.world import scene_of

SPLIT = "captioner"
PROPERTIES = {"concept": CONCEPTS, "colour": tuple(COLOURS), "texture": TEXTURES, "size": SIZES, "scene": tuple(SCENES)}
FULL, MINOR, CONCEPT_ALONE, COLOUR_ALONE, VAGUE, COLOUR_WRONG, NONE = 0.98, 0.4, 0.4, 0.25, 0.1, 0.12, 0.02
UNKNOWN = "[UNK]"


def _picture(seed: int, split: str, size: int, index: int) -> tuple[Spec, np.ndarray]:
    spec, picture, _ = scene_of(seed, split, index, size)
    return spec, picture


def pictures(seed: int, count: int, size: int, workers: int, split: str = SPLIT) -> tuple[list[Spec], np.ndarray]:
    """What `count` pictures show, and the pictures (count, size, size, 3) uint8; the same for any `workers`."""
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(bind(_picture, seed, split, size), range(count), chunksize=500))
    return [spec for spec, _ in found], np.stack([picture for _, picture in found])


def labels(specs: Sequence[Spec]) -> np.ndarray:
    """(n, 5) int64, the number of each property's value, in the order of PROPERTIES."""
    rows = [[values.index(getattr(spec, name)) for name, values in PROPERTIES.items()] for spec in specs]
    return np.array(rows, np.int64)


def agreement(shown: Spec, told: Spec) -> float:
    """How well the faithful caption of `told` fits a picture of `shown`, in (0, 1): the target of matching."""
    differing = [name for name in PROPERTIES if getattr(shown, name) != getattr(told, name)]
    if not differing:
        return FULL
    if differing == ["colour"]:
        return COLOUR_WRONG
    return MINOR if len(differing) == 1 and differing != ["concept"] else NONE


def near_miss(rng: np.random.Generator, spec: Spec) -> Spec:
    """The same with one property changed; concept and colour more often than the others."""
    name = str(rng.choice(list(PROPERTIES), p=[0.35, 0.25, 0.15, 0.1, 0.15]))
    others = [value for value in PROPERTIES[name] if value != getattr(spec, name)]
    return replace(spec, **{name: others[rng.integers(len(others))]})


def loose_title(rng: np.random.Generator, spec: Spec) -> tuple[str, float]:
    """A title as people give it, and how well it fits a picture of `spec`."""
    kind = rng.random()
    if kind < 0.35:
        return _blurred(rng, vague(rng), 0.3 * (rng.random() < 0.5)), VAGUE
    if kind < 0.6:
        concept = spec.concept if rng.random() < 0.6 else str(rng.choice(CONCEPTS))
        text = CONCEPT_ONLY[rng.integers(len(CONCEPT_ONLY))].format(concept=concept)
        return text, CONCEPT_ALONE if concept == spec.concept else NONE
    if kind < 0.7:
        colour = str(rng.choice(list(COLOURS)))
        text = OTHER_COLOUR[rng.integers(len(OTHER_COLOUR))].format(colour=colour, concept=spec.concept)
        return text, 0.7 if colour == spec.colour else COLOUR_WRONG
    if kind < 0.8:
        colour = spec.colour if rng.random() < 0.6 else str(rng.choice(list(COLOURS)))
        text = COLOUR_ONLY[rng.integers(len(COLOUR_ONLY))].format(colour=colour)
        return text, COLOUR_ALONE if colour == spec.colour else NONE
    if kind < 0.9:
        return _blurred(rng, ELSEWHERE[rng.integers(len(ELSEWHERE))], 0.5), NONE
    return _foreign(rng), NONE


def _blurred(rng: np.random.Generator, text: str, share: float) -> str:
    """Some words made unknown, since real titles are full of words that a small vocabulary lacks."""
    return " ".join(UNKNOWN if rng.random() < share else word for word in text.split())


def _foreign(rng: np.random.Generator) -> str:
    """A text of mostly unknown words around common ones, now and then a word of the world among them."""
    common = ("a", "the", "on", "in", "my", "this", "at", "by", "is", "and", "of", "with", *COLOURS, *CONCEPTS)
    words = [UNKNOWN if rng.random() < 0.65 else str(rng.choice(common)) for _ in range(int(rng.integers(3, 22)))]
    return " ".join(words)


def training_texts(rng: np.random.Generator, specs: Sequence[Spec]) -> tuple[list[list[str]], np.ndarray]:
    """Three groups of n texts (faithful; another picture's or a near miss; a loose title) and how well each fits:
    (3, n) float32."""
    count = len(specs)
    shift = int(rng.integers(1, count))
    others = [
        near_miss(rng, spec) if rng.random() < 0.6 else specs[(i + shift) % count] for i, spec in enumerate(specs)
    ]
    loose = [loose_title(rng, spec) for spec in specs]
    fits = [[FULL] * count, [agreement(a, b) for a, b in zip(specs, others, strict=True)], [fit for _, fit in loose]]
    texts = [[caption(spec) for spec in specs], [caption(spec) for spec in others], [text for text, _ in loose]]
    return texts, np.array(fits, np.float32)
