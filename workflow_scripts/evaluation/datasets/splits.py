"""Splits by the names of files, and splits and subsets chosen per image by a hash.

By hash, adding or dropping an image moves no other.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.stats.seeds import derive

SPLITS = ("train", "val", "test")
OTHER_NAMES = {"validation": "val", "valid": "val"}
_NAMED = re.compile(r"(?<![a-z0-9])(train|val|test|validation|valid)(?![a-z])")
_DIGITS = re.compile(r"[0-9]+")


class Entry(NamedTuple):
    """One image of a downstream set before it is read.

    ``name`` is its identity, unique within the set (``train/<class>/<file>``, a file name, a row number); it is hashed
    and shown, never used as a path to write to.
    """

    split: str
    class_name: str
    name: str


def split_files(root: Path, endings: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Files below ``root`` with one of the endings, in the order of their paths, each with the split in its path.

    ``validation`` and ``valid`` are ``val``. If no path names a split, all are ``train``.

    Raises:
        PipelineError: there are none, only some name a split, one names two, or parts of ``<number>-of-<count>`` are
            missing.
    """
    files = sorted(path for path in root.rglob("*") if path.name.endswith(endings) and path.is_file())
    if not files:
        raise PipelineError("no files of the dataset", root, f"none ends in {' or '.join(endings)}", "check its path")
    names = {path: path.relative_to(root).as_posix() for path in files}
    found = {path: {OTHER_NAMES.get(one, one) for one in _NAMED.findall(name)} for path, name in names.items()}
    if not any(found.values()):
        found = {path: {"train"} for path in files}
    for path, splits in found.items():
        if len(splits) != 1:
            value = f"{names[path]} names {' and '.join(sorted(splits)) or 'no split'}"
            raise PipelineError("unclear split", root, value, "name one of train, val, test in each path, or in none")
    _check_parts(root, names.values())
    return [(*splits, path) for path, splits in found.items()]


def _check_parts(root: Path, names: Iterable[str]) -> None:
    parts: dict[tuple[str, int], int] = Counter()
    for name in names:
        before, _, after = name.rpartition("-of-")
        head, dash, number = before.rpartition("-")
        total = _DIGITS.match(after)
        if dash and total is not None and _DIGITS.fullmatch(number):
            parts[head, int(total[0])] += 1
    for (head, count), there in parts.items():
        if there != count:
            raise PipelineError("incomplete dataset", root, f"{there} of {count} parts of {head}", "fetch the others")


def draw(seed: int, use: str, entry: Entry) -> float:
    """A number in [0, 1) that depends on seed, use and the image's name alone."""
    return derive(seed, use, entry.name) / 2**63


def cut(entries: Iterable[Entry], target: str, fraction: float, seed: int) -> list[Entry]:
    """Move each training image to split ``target`` with probability ``fraction``, by its own hash."""
    return [
        one._replace(split=target) if one.split == "train" and draw(seed, target, one) < fraction else one
        for one in entries
    ]


def ranked(entries: Sequence[Entry], use: str, seed: int, group: Callable[[Entry], str]) -> list[int]:
    """Rank of each entry (0 = first) in the hash order of its group."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, one in enumerate(entries):
        groups[group(one)].append(i)
    ranks = [0] * len(entries)
    for members in groups.values():
        for rank, i in enumerate(sorted(members, key=lambda i: (draw(seed, use, entries[i]), entries[i].name))):
            ranks[i] = rank
    return ranks


def fixed_counts(entries: Sequence[Entry], counts: Mapping[str, int], per_class: bool, seed: int) -> list[Entry]:
    """Split an unsplit set by fixed sizes: the first ``counts["train"]`` in hash order, then the next, and so on.

    ``counts`` maps splits to sizes, of each class where ``per_class``, else of the whole set; -1 = all that are left.
    Images beyond the counts are left out (the caller counts them).
    """
    chosen = []
    ranks = ranked(entries, "split", seed, lambda one: one.class_name if per_class else "")
    for one, rank in zip(entries, ranks, strict=True):
        end = 0
        for split, count in counts.items():
            end = end + count if count >= 0 else len(entries)
            if rank < end:
                chosen.append(one._replace(split=split))
                break
    return chosen


def limited(entries: Sequence[Entry], limit: dict[str, int], seed: int) -> list[Entry]:
    """At most ``limit[split]`` images of each class in a split, the first in hash order; order is kept."""
    ranks = ranked(entries, "limit", seed, lambda one: f"{one.split}/{one.class_name}")
    return [one for one, rank in zip(entries, ranks, strict=True) if one.split not in limit or rank < limit[one.split]]


def without_rare(entries: Sequence[Entry], fewest: int) -> list[Entry]:
    """``entries`` of the classes that have at least ``fewest`` images in total."""
    counts = Counter(one.class_name for one in entries)
    return [one for one in entries if counts[one.class_name] >= fewest]
