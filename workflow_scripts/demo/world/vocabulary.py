"""What a picture of the demo world can show, the sentence that says so, and titles like those of real posts.

Most titles say nothing about the image, some are partly right, some wrong.
"""

from dataclasses import dataclass

import numpy as np

from workflow_scripts.demo.world.settings import FULL, World

CONCEPTS = ("balloon", "boat", "car", "cat", "cup", "fish", "flower", "gift", "house", "mushroom", "tree", "umbrella")
COLOURS = {
    "red": (212, 38, 38),
    "orange": (245, 140, 25),
    "yellow": (242, 222, 48),
    "green": (48, 150, 62),
    "blue": (45, 88, 214),
    "purple": (128, 52, 168),
    "pink": (246, 148, 192),
    "white": (242, 242, 240),
}
TEXTURES = ("plain", "striped", "dotted", "checked")
SIZES = ("small", "large")
SCENES = {
    "grass": "on the grass",
    "sand": "on the sand",
    "snow": "in the snow",
    "sea": "by the sea",
    "night": "at night",
    "street": "on the street",
}
LEVELS = ("faithful", "partial", "vague", "wrong")
SHARES = (0.10, 0.18, 0.60, 0.12)  # of posts' titles, by level

OPENINGS = (
    "finally done with this one",
    "what do you think",
    "my first attempt",
    "my second try at this",
    "still learning but happy with it",
    "found this today",
    "saw this on my way home",
    "look at this beauty",
    "this made my day",
    "not my best work",
    "took me three weeks",
    "a bit late but here it is",
    "i was told to post this here",
    "first post here",
    "could not resist",
    "just sharing",
    "made by my sister",
    "my pride and joy",
    "guess what came in the mail",
    "it turned out better than expected",
    "so proud of this one",
    "another one for the collection",
    "my grandmother would have loved it",
    "best thing i have seen all week",
    "help me name it",
    "old but gold",
    "lucky shot",
    "no filter needed",
    "is this any good",
    "worth the wait",
)
ENDINGS = (
    "",
    "",
    "",
    "",
    "[oc]",
    "any thoughts",
    "please be kind",
    "i love it",
    "what should i do next",
    "taken with my phone",
    "more to come",
    "day 12",
    "happy friday",
    "thanks for looking",
    "sorry for the bad light",
)
ELSEWHERE = (
    "view from the train this morning",
    "an old clock at the flea market",
    "pancakes for breakfast",
    "my new bicycle after the rain",
    "a spider on the kitchen window",
    "the bridge at sunrise",
    "two dogs asleep on the sofa",
    "the moon over the lighthouse",
    "knitted socks for the winter",
    "a plate of dumplings",
    "the last train to the mountains",
    "a guitar with new strings",
)
CONCEPT_ONLY = (
    "my {concept}",
    "spotted this {concept} today",
    "just a {concept}",
    "how do you like my {concept}",
    "another {concept} for you",
    "the {concept} of the week",
)
OTHER_COLOUR = ("a {colour} {concept}", "my {colour} {concept}", "the {colour} {concept} i told you about")
COLOUR_ONLY = ("something {colour} i found", "{colour} is my favourite", "a bit of {colour} for today")


@dataclass(frozen=True)
class Spec:
    """What one picture shows: a main object with its colour, texture and size, and where it stands."""

    concept: str
    colour: str
    texture: str
    size: str
    scene: str


def sample_spec(rng: np.random.Generator, concept: str | None = None, world: World = FULL) -> Spec:
    """All properties drawn evenly and independently from those of `world`; `concept` fixes that one."""
    return Spec(
        concept=concept or CONCEPTS[rng.integers(len(CONCEPTS))],
        colour=world.colours[rng.integers(len(world.colours))],
        texture=TEXTURES[rng.integers(len(TEXTURES))],
        size=SIZES[rng.integers(len(SIZES))],
        scene=world.scenes[rng.integers(len(world.scenes))],
    )


def caption(spec: Spec) -> str:
    """The faithful caption, e.g. 'a small red striped mushroom on the grass'; a plain texture is not mentioned."""
    texture = [] if spec.texture == "plain" else [spec.texture]
    return " ".join(["a", spec.size, spec.colour, *texture, spec.concept, SCENES[spec.scene]])


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[rng.integers(len(options))]


def vague(rng: np.random.Generator) -> str:
    """A title that would fit any picture."""
    opening, ending = _pick(rng, OPENINGS), _pick(rng, ENDINGS)
    return f"{opening} {ending}".strip() if ending.startswith("[") or not ending else f"{opening}, {ending}"


def partial(rng: np.random.Generator, spec: Spec, world: World = FULL) -> str:
    """A title that is half right: the concept alone, the concept in another colour, or the colour alone."""
    kind = rng.random()
    if kind < 0.6:
        return _pick(rng, CONCEPT_ONLY).format(concept=spec.concept)
    if kind < 0.8:
        other = _pick(rng, tuple(colour for colour in world.colours if colour != spec.colour))
        return _pick(rng, OTHER_COLOUR).format(colour=other, concept=spec.concept)
    return _pick(rng, COLOUR_ONLY).format(colour=spec.colour)


def wrong(rng: np.random.Generator, spec: Spec, world: World = FULL) -> str:
    """A title about something else: another world picture (never of the same concept), or another thing."""
    if rng.random() < 0.5:
        return _pick(rng, ELSEWHERE)
    other = _pick(rng, tuple(concept for concept in CONCEPTS if concept != spec.concept))
    return caption(sample_spec(rng, other, world))


def title(rng: np.random.Generator, spec: Spec, level: str, world: World = FULL) -> str:
    """A title of one of LEVELS for a picture that shows `spec`, in RedCaps' lower case."""
    if level == "vague":
        return vague(rng)
    if level == "partial":
        return partial(rng, spec, world)
    return caption(spec) if level == "faithful" else wrong(rng, spec, world)


def all_templates() -> tuple[str, ...]:
    """Every text that titles are made of, with {concept} and {colour} where a word is put in."""
    return (*OPENINGS, *ENDINGS, *ELSEWHERE, *CONCEPT_ONLY, *OTHER_COLOUR, *COLOUR_ONLY, ", again")
