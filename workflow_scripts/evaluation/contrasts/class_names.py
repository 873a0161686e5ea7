"""Which classes of several sets are the same one: by their names, and by a few other names of the same thing."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

SEPARATORS = re.compile(r"[\W_]+")
ALIASES = {
    "aeroplane": "airplane",
    "automobile": "car",
    "motorbike": "motorcycle",
    "ship": "boat",
    "sofa": "couch",
    "tvmonitor": "television",
}
"""Name -> the name that counts instead."""


def normalised(name: str) -> str:
    """A class's name in lower case, with single spaces instead of ``_`` and ``-``, or the name that counts instead."""
    plain = " ".join(SEPARATORS.split(name.lower())).strip()
    return ALIASES.get(plain, plain)


def common_classes(sets: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Class -> dataset -> its name there, of the classes that several sets have."""
    found: dict[str, dict[str, str]] = {}
    for dataset, names in sets.items():
        for key, name in zip(class_keys(dataset, names, range(len(names))), names, strict=True):
            found.setdefault(key, {})[dataset] = name
    return {key: found[key] for key in sorted(found) if len(found[key]) > 1}


def class_keys(dataset: str, names: Sequence[str], labels: Sequence[int]) -> list[str]:
    """What each class of a set is called in all sets.

    A class whose name has no letter, such as a number, or the normalised name of another class of its set, is a class
    of this set alone.

    Args:
        names: of the set's classes, by label.
        labels: the classes that are tested.
    """
    counts = Counter(map(normalised, names))
    known = {
        label: normalised(name)
        for label, name in enumerate(names)
        if any(map(str.isalpha, name)) and counts[normalised(name)] == 1
    }
    return [known.get(label, f"{dataset}/{label}") for label in labels]
