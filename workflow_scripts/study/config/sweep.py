"""Sweeps: an item of ``runs`` with a sweep becomes one item for each of its points, with a tag of its values."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.study.config.errors import Path, SettingError, misread_booleans, one_of
from workflow_scripts.study.config.files import Node

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Run

MOST_POINTS = 1_000
LONGEST_TAG = 64
WRITTEN_OUT = 6  # zeros at the end of a number
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE)
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_]+")


class Item(NamedTuple):
    """An item of ``runs``, or a point of its sweep.

    Attributes:
        run: the item without its sweep; ``set`` holds the values of the point, and ``tag`` names them.
        number: position in ``runs``.
        places: setting in ``set`` -> where the config gives it.
    """

    run: "Run"
    number: int
    places: Mapping[str, Path]


def items(run: "Run", number: int) -> Iterator[Item]:
    """The item itself, or one for each point of its sweep."""
    places: dict[str, Path] = {key: ("runs", number, "set", key) for key in run.set}
    if run.sweep is None:
        yield Item(run, number, places)
        return
    for point in _points(run, number):
        values = {key: value for key, (value, _) in point.items()}
        tag = "_".join(filter(None, (run.tag, point_tag(values))))
        swept = run.model_copy(update={"tag": tag, "set": {**run.set, **values}, "sweep": None})
        yield Item(swept, number, places | {key: path for key, (_, path) in point.items()})


def _points(run: "Run", number: int) -> Iterator[dict[str, tuple[Any, Path]]]:
    """Setting -> value and its place, for each point."""
    place: Path = ("runs", number, "sweep")
    if isinstance(run.sweep, Mapping):
        axes = [[(value, (*place, key, i)) for i, value in enumerate(values)] for key, values in run.sweep.items()]
        for point in product(*axes):
            yield dict(zip(run.sweep, point, strict=True))
    else:
        for i, values in enumerate(run.sweep or ()):
            yield {key: (value, (*place, i, key)) for key, value in values.items()}


def sweep_errors(run: "Run", number: int, allowed: Collection[str], root: Node) -> Iterator[SettingError]:
    """Yield errors of an item's sweep; without any, :func:`items` can expand it.

    Args:
        allowed: settings that runs of its method depend on.
        root: the config.
    """
    place: Path = ("runs", number, "sweep")
    sweep: Any = run.sweep
    if sweep is None:
        return
    if not isinstance(sweep, Mapping | list) or not sweep:
        advice = "give a mapping from settings to lists of values, a list of mappings from settings to values, or null"
        yield _refused(place, sweep, advice)
        return
    parts = [(place, sweep)] if isinstance(sweep, Mapping) else [((*place, i), one) for i, one in enumerate(sweep)]
    found = [error for path, part in parts for error in _part_errors(run, path, part, allowed, root)]
    yield from found or _point_errors(run, number)


def _part_errors(run: "Run", path: Path, part: Any, allowed: Collection[str], root: Node) -> Iterator[SettingError]:
    """Errors of a grid or of a point of a list."""
    if not isinstance(part, Mapping) or not part:
        yield _refused(path, part, "give a mapping from settings to values")
        return
    for key, value in part.items():
        own = (*path, key)
        if key in run.set:
            yield SettingError("setting in both set and sweep", own, key, "remove it from one of them")
        elif key not in Pretrain.model_fields:
            yield SettingError("unknown key", own, repr(key), one_of(key, allowed))
        elif key not in allowed:
            advice = f"remove it; runs of method {run.method} depend on {', '.join(sorted(allowed))}"
            yield SettingError("setting without effect", own, key, advice)
        elif isinstance(run.sweep, Mapping) and (not isinstance(value, list) or not value):
            yield _refused(own, value, "give a list of values")
        else:
            places = [(*own, i) for i in range(len(value))] if isinstance(run.sweep, Mapping) else [own]
            for at in places:
                for error in misread_booleans(root.below(*at), Pretrain, (), (key,)):
                    yield SettingError(error.what, (*at, *error.path[1:]), error.value, error.advice)


def _refused(path: Path, value: object, advice: str) -> SettingError:
    return SettingError("empty sweep" if value in ({}, []) else "invalid value", path, repr(value)[:100], advice)


def _point_errors(run: "Run", number: int) -> Iterator[SettingError]:
    """Errors of the points together: too many, the same one twice, and tags that are too long."""
    place: Path = ("runs", number, "sweep")
    sizes = [len(values) for values in run.sweep.values()] if isinstance(run.sweep, Mapping) else [len(run.sweep or ())]
    if math.prod(sizes) > MOST_POINTS:
        value, advice = f"{math.prod(sizes)} points", f"at most {MOST_POINTS} are possible; split it"
        yield SettingError("sweep too large", place, value, advice)
        return
    seen: set[str] = set()
    for item in items(run, number):
        tag = item.run.tag
        if tag in seen:
            yield SettingError("repeated point of a sweep", place, tag, "remove one of the two")
        elif len(tag) > LONGEST_TAG:
            advice = f"at most {LONGEST_TAG} characters are possible; give points with fewer settings"
            yield SettingError("tag too long", place, tag, advice)
        seen.add(tag)


def point_tag(values: Mapping[str, Any]) -> str:
    """Tag of a point, such as ``steps-4_lr-1e-3``: its settings in the order of their class."""
    order = list(Pretrain.model_fields)
    return "_".join(f"{key}-{short(values[key])}" for key in sorted(values, key=order.index))


def short(value: Any) -> str:
    """A value in letters, digits, ``_`` and ``-``: 4 and 4.0 as ``4``, 0.001 as ``1e-3``, 1.5 as ``15e-1``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "-".join(f"{short(key)}-{short(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "-".join(map(short, value))
    if not isinstance(value, int) and not _NUMBER.fullmatch(str(value)):
        return _NOT_IN_TAGS.sub("-", str(value))
    sign, digits, exponent = Decimal(value if isinstance(value, int) else str(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # only infinities and NaN have another exponent
    shown = "".join(map(str, digits))
    # Steps are written out: 250000, not 25e4.
    shown = shown + "0" * exponent if 0 <= exponent <= WRITTEN_OUT else f"{shown}e{exponent}"
    return f"-{shown}" if sign else shown
