"""Settings that depend on a kind: an item of the config has those of all kinds, and uses those of its own."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from workflow_scripts.core.settings import OfKinds, Settings

S = TypeVar("S", bound=Settings)


class Kind(Protocol):
    """A registry entry with settings of its own."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> type[Settings]: ...


def with_kinds(kinds: Mapping[str, Kind], common: type[Settings] = Settings) -> Callable[[type[S]], type[S]]:
    """Decorates a settings class whose instances also have the settings of all kinds (:func:`fields_of`)."""

    def extended(base: type[S]) -> type[S]:
        fields: dict[str, Any] = fields_of(kinds, common)
        return create_model(base.__name__, __base__=base, __module__=base.__module__, __doc__=base.__doc__, **fields)

    return extended


def fields_of(kinds: Mapping[str, Kind], common: type[Settings] = Settings) -> dict[str, tuple[Any, FieldInfo]]:
    """Name -> type and field of each setting that a kind has; its description says which kinds.

    Args:
        kinds: the registry.
        common: settings of all kinds, which are left out.
    """
    found: dict[str, tuple[Any, FieldInfo]] = {}
    for name, field in ((name, field) for kind in kinds.values() for name, field in kind.settings.model_fields.items()):
        if name in common.model_fields:
            continue
        field = copy(field)
        users = {kind.name: kind.settings for kind in kinds.values() if name in kind.settings.model_fields}
        *others, last = users
        named = f"{', '.join(others)} and {last}" if others else last
        field.metadata = [*field.metadata, OfKinds(named, users[last])]
        found[name] = (field.annotation, field)
    return found


def settings_of_others(kinds: Mapping[str, Kind], kind: str) -> set[str]:
    """Names of the settings that other kinds have, but not this one."""
    own = kinds[kind].settings.model_fields
    return {name for one in kinds.values() for name in one.settings.model_fields if name not in own}


def settings_of(item: BaseModel, kind: Kind) -> Settings:
    """The settings of a kind among those of an item, checked.

    Raises:
        ValidationError: they contradict each other.
    """
    wanted = kind.settings
    return wanted.model_validate({name: getattr(item, name) for name in wanted.model_fields})
