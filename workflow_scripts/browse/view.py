"""What a list of images shows: the part of its address after ``?``, checked."""

import re
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from workflow_scripts.core.errors import PipelineError

PER_PAGE = 24  # images
LONGEST = 300  # characters of a search
MOST_WORDS = 20
SHORTEST_START = 4  # letters before a *; shorter ones match most captions
_WORDS = re.compile(r'"([^"]*)"|(\S+)')
_NEVER = dict.fromkeys([0, *range(0xD800, 0xE000)])  # NUL and lone surrogates: SQLite takes neither

Number = Annotated[float | None, BeforeValidator(lambda value: value if value != "" else None)]


class View(BaseModel):
    """A list of images.

    Attributes:
        q: words that a caption must have, or an image's key.
        arm: the arm whose captions are searched; empty: any but controls.
        subreddit: only its images; empty: all.
        score: ``<arm>/<score>``, by which images are filtered and ordered; empty: none.
        versus: another score; the value is then the difference (see :meth:`Index.values`).
        order: high or low values first; ``far`` or ``near``: by distance from 0; ``random``; empty: the index's order.
        lowest, highest: bounds of the value, inclusive.
        seed: of the random order.
        page: from 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    q: Annotated[str, Field(max_length=LONGEST)] = ""
    arm: str = ""
    subreddit: str = ""
    score: str = ""
    versus: str = ""
    order: Literal["", "high", "low", "far", "near", "random"] = ""
    lowest: Number = None
    highest: Number = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    page: Annotated[int, Field(ge=1, le=10**7)] = 1

    def address(self, **changes: object) -> str:
        """The part of the address after ``?`` with some values changed; values at their default are left out."""
        return urlencode(self.model_copy(update=changes).model_dump(exclude_defaults=True))


def view_of(given: dict[str, str]) -> View:
    """The view of an address.

    Raises:
        PipelineError: an unknown or invalid part.
    """
    try:
        return View.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PipelineError("invalid view", where, first["input"], first["msg"]) from None


def match_expression(q: str) -> str:
    """An FTS5 expression for captions that have all words (``dog*``: a word that begins so) and ``"phrases"`` of ``q``.

    Everything is quoted, so no text is an error. Empty if nothing can be searched for.
    """
    terms = []
    for phrase, word in _WORDS.findall(q.translate(_NEVER)):
        text = phrase or word.strip('"')
        letters = sum(char.isalnum() for char in text)
        starts = not phrase and text.endswith("*") and letters >= SHORTEST_START
        if letters:
            terms.append('"{}"{}'.format(text.replace('"', '""'), "*" if starts else ""))
    return " AND ".join(terms[:MOST_WORDS])
