"""The interface of downstream datasets: entries to choose from, then the chosen images in source order."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from workflow_scripts.evaluation.datasets.splits import Entry


class Picture(NamedTuple):
    """A chosen image.

    Attributes:
        name: its entry's name.
        image: encoded bytes.
        mask: PNG of the pixels of its label (0 background, 1 object, 255 ignore), if known.
        objects: PNG of the numbers of its objects (0 background, 255 ignore), if it has several that are known.
        object_classes: class of each object, by number from 1.
    """

    name: str
    image: bytes
    mask: bytes | None = None
    objects: bytes | None = None
    object_classes: tuple[str, ...] = ()


@dataclass
class Listing:
    """All images of a set, in source order.

    Attributes:
        entries: images with the split that the source gives them (``train`` where it gives none).
        left_out: number of files that are not candidates, by reason.
        classes: class names in the set's own label order; empty where labels follow the sorted names.
    """

    entries: list[Entry]
    left_out: Counter[str] = field(default_factory=Counter)
    classes: list[str] = field(default_factory=list)


class PictureSet(Protocol):
    """A downstream set at its source."""

    @property
    def where(self) -> str:
        """The source's name, for messages."""
        ...

    def listing(self) -> Listing:
        """The set's images, not yet read."""
        ...

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """The images named in ``wanted``, in the order of the listing."""
        ...
