"""Captions and titles of the demo world, apart from its pictures: each text also says which values it names.

A caption names the concept and a few of the other properties, chosen at random for each image. So captions hardly
repeat, and two that resemble each other agree in what they name. Titles are like those of real posts: many say nothing
about the image, some are about something else.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from workflow_scripts.demo.world.settings import DEFAULT, LABELS, Label, World
from workflow_scripts.demo.world.vocabulary import WORDINGS, Spec, spec_of, values
from workflow_scripts.stats.seeds import derive


def _listed(texts: str) -> tuple[str, ...]:
    """Texts that stand between bars; blank ones too."""
    return tuple(text.strip() for text in texts.split("|"))


OTHERS: tuple[Label, ...] = tuple(name for name in LABELS if name != "concept")
BEFORE: tuple[Label, ...] = ("size", "texture", "colour", "concept")
AFTER: tuple[Label, ...] = ("scene", "place")
# {thing} has its article, {noun} has none.
PATTERNS = _listed(
    "{thing} {where} | there is {thing} {where} | a photo of {thing} {where} | a picture of {thing} {where} | "
    "this image shows {thing} {where} | the photo shows {thing} {where} | we see {thing} {where} | "
    "one can make out {thing} {where} | {where} there is {thing} | {where} we find {thing} | "
    "{thing} can be seen {where} | {thing} stands out {where}"
)
SHORT = _listed(
    "found {thing} {where} | saw {thing} {where} today | my {noun} {where} | look at this {noun} {where} | "
    "came across {thing} {where} | took a picture of {thing} {where} | how do you like my {noun} {where} | "
    "another {noun} {where} for you | {thing} {where} i had to share | rate my {noun} {where} | "
    "met {thing} {where} last weekend | the {noun} {where} i told you about"
)
STARTS = _listed(
    " |  | well | finally | honestly | hello everyone | long time reader here | quick post | after months | "
    "believe it or not | for those who asked | update"
)
OPENINGS = _listed(
    "done with this one | my first attempt | my second try at this | still learning but happy with it | "
    "found this today | saw this on my way to work | look at this beauty | this made my day | not my best work | "
    "took me three weeks | a bit late but here it is | i was told to post this here | first post here | "
    "could not resist | just sharing | made by my sister | my pride and joy | guess what came in the mail | "
    "it turned out better than expected | so proud of this one | another one for the collection | "
    "my grandmother would have loved it | best thing i have seen all week | help me name it | old but gold | "
    "lucky shot | no filter needed | is this any good | worth the wait | nobody believed me | "
    "stumbled upon this by accident | does anyone recognise it | pure joy | captured during my lunch break"
)
ENDINGS = _listed(
    " |  |  | [oc] | any thoughts | please be kind | i love it | what should i do next | with my phone | "
    "more to come | day 12 | day 40 | happy friday | thanks for looking | sorry for the bad light | "
    "what do you think | ask me anything | i am so happy | details below | be honest | it took a while | "
    "more pictures tomorrow | this is my favourite | year two"
)
# Topics of each subreddit, without a word for what a picture can show.
TOPICS = {
    "gardenfinds": _listed(
        "our garden club | the allotment | the compost heap | the seed swap | spring planting | weeding | "
        "my greenhouse | the botanical walk | pruning season | watering | my allergy | organic fertiliser"
    ),
    "outandabout": _listed(
        "our weekend trip | the travel group | packing | the long tour | the ticket office | sightseeing | "
        "our holiday route | the fuel price | the mechanic | bad weather on tour | a cheap hostel | "
        "the delayed ferry"
    ),
    "petsandpals": _listed(
        "the vet | feeding time | the pet shop | our animal shelter | my furry friend | the new food brand | "
        "cleaning the tank | the adoption day | pet insurance | playtime | obedience training | our noisy parrot"
    ),
    "aroundthehome": _listed(
        "the kitchen shelf | our moving day | tidying up | the flea market | repair work | the hardware store | "
        "decorating | the neighbourhood party | unpacking | rainy season | the broken heater | spare furniture"
    ),
}
REMARKS = _listed(
    "starts again | was worth it | keeps me busy | needs more patience | made my week | taught me a lot | "
    "is not for everyone | never gets old | went better than planned | needs your help | is my new hobby | "
    "is over for this year"
)
KINDS = ("truthful", "vague", "topical", "wrong")
SHARES = (0.35, 0.35, 0.15, 0.15)  # of posts' titles, by kind


@dataclass(frozen=True)
class Text:
    """A text and the values that it names by property, true or not."""

    text: str
    told: dict[Label, str]

    def wrong(self, spec: Spec) -> list[str]:
        """The properties that it names but a picture of `spec` does not have."""
        return [name for name, value in self.told.items() if getattr(spec, name) != value]


class Style(NamedTuple):
    """What captions name, and how often they are wrong.

    Attributes:
        named: shares of captions that name 0, 1, 2, ... properties besides the concept.
        wrong_concept: share of captions that name another concept.
        wrong_property: how often they name another value of each further property.
    """

    named: tuple[float, ...] = (0.0, 0.2, 0.6, 0.2)
    wrong_concept: float = 0.0
    wrong_property: float = 0.0


def caption(rng: np.random.Generator, spec: Spec, style: Style, world: World) -> Text:
    """A caption of a picture of `spec`."""
    count = int(rng.choice(len(style.named), p=style.named))
    chosen = {str(name) for name in rng.choice(OTHERS, count, replace=False)}
    told: dict[Label, str] = {}
    for name in LABELS:
        if name == "concept" or name in chosen:
            error = style.wrong_concept if name == "concept" else style.wrong_property
            told[name] = _other(rng, name, spec, world) if rng.random() < error else getattr(spec, name)
    return _text(rng, PATTERNS, told)


def title(rng: np.random.Generator, spec: Spec, kind: str, subreddit: str, world: World = DEFAULT) -> Text:
    """A title of one of KINDS for a picture of `spec`, in RedCaps' lower case.

    A wrong one names another concept. It and a truthful one name at most one more property.
    """
    if kind == "vague":
        return Text(_joined(_pick(rng, STARTS), _pick(rng, OPENINGS), _pick(rng, ENDINGS)), {})
    if kind == "topical":
        return Text(_joined(f"{_pick(rng, TOPICS[subreddit])} {_pick(rng, REMARKS)}", _pick(rng, ENDINGS)), {})
    told: dict[Label, str] = {"concept": spec.concept if kind == "truthful" else _other(rng, "concept", spec, world)}
    if rng.random() < 0.5:
        name = OTHERS[rng.integers(len(OTHERS))]
        told[name] = getattr(spec, name) if kind == "truthful" else _pick(rng, values(name, world))
    short = _text(rng, SHORT, told)
    return Text(_joined(short.text, _pick(rng, ENDINGS)), told)


def described(seed: int, image: str, spec: Spec, coverage: float, precision: float, world: World = DEFAULT) -> Text:
    """A caption that names a share of the properties, each right with probability `precision`.

    What it draws depends on the seed and the image alone: more coverage names further properties, and less precision
    makes further ones wrong, each always with the same value.
    """
    rng = np.random.default_rng(derive(seed, "demo_described", image))
    order: list[Label] = ["concept", *rng.permutation(OTHERS).tolist()]
    draws = {name: (rng.random(), _other(rng, name, spec, world)) for name in order}
    told: dict[Label, str] = {}
    for name in order[: max(1, round(coverage * len(LABELS)))]:
        draw, other = draws[name]
        told[name] = other if draw >= precision else getattr(spec, name)
    return _text(np.random.default_rng(derive(seed, "demo_wording", image)), PATTERNS, told)


def title_of(seed: int, split: str, index: int, subreddit: str, world: World = DEFAULT) -> tuple[str, Text]:
    """The kind and the title of post `index` of a split."""
    rng = np.random.default_rng(derive(seed, "demo_title", split, index))
    kind = KINDS[int(rng.choice(len(KINDS), p=SHARES))]
    return kind, title(rng, spec_of(seed, split, index, world), kind, subreddit, world)


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[rng.integers(len(options))]


def _other(rng: np.random.Generator, name: Label, spec: Spec, world: World) -> str:
    return _pick(rng, tuple(value for value in values(name, world) if value != getattr(spec, name)))


def _joined(*parts: str) -> str:
    """Parts with commas between them, none before an ending in brackets."""
    return ", ".join(part for part in parts if part).replace(", [", " [")


def _text(rng: np.random.Generator, patterns: tuple[str, ...], told: dict[Label, str]) -> Text:
    """One of the patterns with a wording of each value."""
    words = {name: _pick(rng, WORDINGS[name][value]) for name, value in told.items()}
    noun, where = (" ".join(words[name] for name in names if name in words) for names in (BEFORE, AFTER))
    article = "an" if noun[0] in "aeiou" else "a"
    filled = _pick(rng, patterns).format(thing=f"{article} {noun}", noun=noun, where=where)
    return Text(" ".join(filled.split()), told)


@cache
def words() -> tuple[str, ...]:
    """Every word of captions and titles, sorted; brackets and commas are none."""
    parts = [one for of_property in WORDINGS.values() for wordings in of_property.values() for one in wordings]
    parts += [*PATTERNS, *SHORT, *STARTS, *OPENINGS, *ENDINGS, *REMARKS]
    parts += [topic for topics in TOPICS.values() for topic in topics]
    text = " ".join(parts).replace("[", "").replace("]", "")
    return tuple(sorted({"a", "an", "again", *(word for word in text.split() if word[0] != "{")}))
