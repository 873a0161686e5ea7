"""Pictures and texts that the demo's small BLIP-2 learns from; no study draws from this split."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial as bind
from typing import get_args

import numpy as np

from workflow_scripts.demo.world.settings import DEFAULT, LABELS, ColourName, Label, SceneName, World
from workflow_scripts.demo.world.texts import KINDS, SHARES, TOPICS, Style, caption, title, words
from workflow_scripts.demo.world.vocabulary import CONCEPTS, Spec, values
from workflow_scripts.demo.world.world import scene_of

SPLIT = "captioner"
# All scenes and colours, so that the captioners know every world that a config can choose.
ALL = World(scenes=get_args(SceneName), colours=get_args(ColourName))
OF_ALL = 3  # every third picture is of any scene and colour, the others are of the demo's
TRUE, FALSE = Style(), Style(wrong_concept=0.5, wrong_property=0.35)
FULL_CAPTION = Style((0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
PROPERTIES = {name: values(name, ALL) for name in LABELS}
FULL, CONCEPT_ALONE, VAGUE, NONE = 0.98, 0.7, 0.1, 0.02
WRONG = 0.2  # what each wrong property leaves of a fit
UNKNOWN = "[UNK]"


def _picture(seed: int, split: str, size: int, index: int) -> tuple[Spec, np.ndarray]:
    every = split == SPLIT and index // len(CONCEPTS) % OF_ALL == 0
    spec, picture, _ = scene_of(seed, split, index, size, ALL if every else DEFAULT)
    return spec, picture


def pictures(seed: int, count: int, size: int, workers: int, split: str = SPLIT) -> tuple[list[Spec], np.ndarray]:
    """What `count` pictures show, and the pictures (count, size, size, 3) uint8; the same for any `workers`."""
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(bind(_picture, seed, split, size), range(count), chunksize=500))
    return [spec for spec, _ in found], np.stack([picture for _, picture in found])


def labels(specs: Sequence[Spec]) -> np.ndarray:
    """(n, 6) int64, the number of each property's value, in the order of PROPERTIES."""
    rows = [[options.index(getattr(spec, name)) for name, options in PROPERTIES.items()] for spec in specs]
    return np.array(rows, np.int64)


def fit(spec: Spec, told: Mapping[Label, str]) -> float:
    """How well a text that names `told` fits a picture of `spec`, in (0, 1): the target of matching."""
    if not told:
        return VAGUE
    if told["concept"] != spec.concept:
        return NONE
    wrong = sum(getattr(spec, name) != value for name, value in told.items())
    return float((FULL if len(told) > 1 else CONCEPT_ALONE) * WRONG**wrong)


def loose_title(rng: np.random.Generator, spec: Spec) -> tuple[str, float]:
    """A title as people give it, and how well it fits a picture of `spec`."""
    if rng.random() < 0.1:
        return _foreign(rng), NONE
    kind, subreddit = str(rng.choice(KINDS, p=SHARES)), str(rng.choice(list(TOPICS)))
    found = title(rng, spec, kind, subreddit, ALL)
    text = found.text if found.told else _blurred(rng, found.text, 0.3 * (rng.random() < 0.5))
    return text, fit(spec, found.told)


def _blurred(rng: np.random.Generator, text: str, share: float) -> str:
    """Some words made unknown, since real titles are full of words that a small vocabulary lacks."""
    return " ".join(UNKNOWN if rng.random() < share else word for word in text.split())


def _foreign(rng: np.random.Generator) -> str:
    """A text of mostly unknown words, now and then a word of the world among them."""
    drawn = [UNKNOWN if rng.random() < 0.65 else str(rng.choice(words())) for _ in range(int(rng.integers(3, 22)))]
    return " ".join(drawn)


def full_captions(rng: np.random.Generator, specs: Sequence[Spec]) -> list[str]:
    """Captions that name all properties, so that the contrastive features tell pictures apart by each of them."""
    return [caption(rng, spec, FULL_CAPTION, ALL).text for spec in specs]


def training_texts(rng: np.random.Generator, specs: Sequence[Spec]) -> tuple[list[list[str]], np.ndarray]:
    """Three groups of n texts (a true caption; another picture's or one with errors; a loose title) and how well each
    fits: (3, n) float32."""
    count = len(specs)
    shift = int(rng.integers(1, count))
    true = [caption(rng, spec, TRUE, ALL) for spec in specs]
    false = (caption(rng, spec, FALSE, ALL) if rng.random() < 0.6 else None for spec in specs)
    others = [text or true[(i + shift) % count] for i, text in enumerate(false)]
    loose = [loose_title(rng, spec) for spec in specs]
    fits = [[fit(spec, text.told) for spec, text in zip(specs, texts, strict=True)] for texts in (true, others)]
    texts = [[text.text for text in true], [text.text for text in others], [text for text, _ in loose]]
    return texts, np.array([*fits, [value for _, value in loose]], np.float32)
