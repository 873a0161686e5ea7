"""Turns pydantic's errors about the config into errors with file, line, key, and the closest spelling."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workflow_scripts.core.declaration.kind_settings import Kind, settings_of_others
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.settings import descriptions
from workflow_scripts.study.config.files import Node

FEW = 15  # maximum number of names listed in addition to a close one
CONTRADICTION = "contradictory settings"
Path = tuple[Any, ...]


def one_of(wrong: object, allowed: Iterable[str]) -> str:
    """Advice for an unknown name: the closest spelling, and the list of allowed names."""
    names = sorted(allowed)
    close = get_close_matches(str(wrong).lower(), {name.lower() for name in names}, 1, 0.6)
    close = [name for name in names if name.lower() in close]
    if not names:
        return "the config defines none"
    listed = f"choose from {', '.join(names)}"
    if not close:
        return listed
    return f"did you mean {close[0]}?" + (f" {listed[0].upper()}{listed[1:]}" if len(names) <= FEW else "")


class SettingError(PipelineError):
    """A mistake at a path in the config, such as ``("runs", 3, "pairs")``."""

    def __init__(self, what: str, path: Path, value: object, advice: str, root: Node | None = None) -> None:
        self.path = path
        super().__init__(what, (root or Node()).where(path), value, advice)


def known(where: Path, kind: str, name: str | None, names: Collection[str]) -> Iterator[SettingError]:
    """An error if ``name`` is given and none of ``names``."""
    if name is not None and name not in names:
        yield SettingError(f"unknown {kind}", where, name, one_of(name, names))


def unused_settings(where: Path, item: Any, kinds: Mapping[str, Kind]) -> Iterator[SettingError]:
    """An error for each setting that the config gives an item and that only other kinds have."""
    for name in sorted(item.model_fields_set & settings_of_others(kinds, item.kind)):
        advice = f"remove it; kind {item.kind} has none"
        yield SettingError(f"unused {name}", (*where, name), getattr(item, name), advice)


def placed(error: PipelineError, root: Node) -> PipelineErrors:
    """The errors without repetition, with the file and line of their paths in the config.

    A name that is unknown at several places is one error: often the place that should define it has a typing mistake.
    """
    found: dict[object, list[PipelineError]] = {}
    for one in error.errors:
        if isinstance(one, SettingError):
            one = SettingError(one.what, one.path, one.value, one.advice, root)
        same = one.what.startswith("unknown ") and one.what != "unknown key"
        found.setdefault((one.what, str(one.value), one.advice) if same else str(one), []).append(one)
    return PipelineErrors([_together(list({str(one): one for one in group}.values())) for group in found.values()])


def _together(same: list[PipelineError]) -> PipelineError:
    first, *more = same
    if not more:
        return first
    others = ", ".join(str(one.where).rpartition("(")[2].removesuffix(")") for one in more[:FEW])
    return PipelineError(first.what, f"{first.where}, also {others}", first.value, first.advice)


def validation_errors(
    error: ValidationError, model: type[BaseModel], root: Node, place: Callable[[Path], Path] = tuple
) -> list[SettingError]:
    """Yield an error for each value that pydantic refused.

    Args:
        model: what was validated.
        root: the config.
        place: maps pydantic's location below ``model`` to the path in the config; identity if omitted.
    """
    groups: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        path = place(detail["loc"])
        # Pydantic's locations also contain the names of a union's members.
        path = path if detail["type"] == "missing" else root.at(path)[1]
        groups.setdefault(path, []).append(detail)
    unknown = [path for path, details in groups.items() if details[0]["type"] == "extra_forbidden"]
    for path in list(groups):
        misspelt = [str(one[-1]) for one in unknown if one[:-1] == path[:-1]]
        if groups[path][0]["type"] == "missing" and get_close_matches(str(path[-1]), misspelt, 1, 0.6):
            del groups[path]  # the error about the misspelt key names it
            continue
        # Pydantic reports a list as too short if its only member is refused.
        if groups[path][0]["type"] == "too_short" and any(path == one[: len(path)] != one for one in groups):
            del groups[path]
    return [_error(path, details, model, root.at(path)[0].text) for path, details in groups.items()]


def _error(path: Path, details: Sequence[ErrorDetails], model: type[BaseModel], text: str | None) -> SettingError:
    detail, value = details[0], details[0]["input"]
    fields = _fields(model, detail["loc"][:-1])
    if detail["type"] == "extra_forbidden":
        return SettingError("unknown key", path, repr(path[-1]), one_of(path[-1], fields))
    if detail["type"] == "missing":
        key = str(path[-1])
        meaning = " ".join(fields.get(key, "").split())
        return SettingError("missing key", path[:-1], key, f"add it: {meaning}" if meaning else "add it")
    if detail["type"] == "value_error" and isinstance(value, dict):
        return SettingError(CONTRADICTION, path, _message(detail), "change one of them")
    choices = [choice for one in details if one["type"] == "literal_error" for choice in _choices(one)]
    others = [_message(one) for one in details if one["type"] != "literal_error"]
    if text and not isinstance(value, str) and (choices or any(one["type"] == "string_type" for one in details)):
        advice = f'YAML reads {text} as {_kind(value)}; if a name is meant, quote it: "{text}"'
        advice += f"; {one_of(text, choices)}" if choices and text not in choices else ""
        return SettingError("value is not text", path, text, advice)
    others = [*([one_of(value, choices)] if choices else []), *others]
    what = "unknown choice" if choices else "invalid value"
    return SettingError(what, path, repr(value)[:100], "; or ".join(dict.fromkeys(others)))


def _kind(value: object) -> str:
    return {bool: "true or false", int: "a number", float: "a number"}.get(type(value), type(value).__name__)


def _message(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:] if message.startswith("Input should") else message


def _choices(detail: ErrorDetails) -> list[str]:
    """The allowed values, from pydantic's ``'a', 'b' or 'c'``."""
    expected = str(detail.get("ctx", {}).get("expected", ""))
    return [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(", ")]


def _fields(model: type[BaseModel], path: Path) -> Mapping[str, str]:
    """Setting -> its description, of the settings classes at a path below ``model``."""
    models = [model]
    for part in path:
        fields = [known.model_fields[part] for known in models if part in known.model_fields]
        # Other parts are places in lists, keys of mappings, and names of a union's members.
        models = [below for field in fields for below in _models(field.annotation)] if fields else models
    return {name: text for known in models for name, text in descriptions(known).items()}


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The settings classes in a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for member in get_args(annotation) for model in _models(member)]
