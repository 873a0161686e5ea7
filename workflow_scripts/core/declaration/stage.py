"""What a stage declares about itself for the artifact contract: the constant ``STAGE`` of its file.

Everything here decides bytes or keys, so the code digest covers it. What can't change bytes (costs, resources and so
on) is declared separately, in ``FACTS`` (:mod:`workflow_scripts.core.declaration.facts`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from workflow_scripts.core.settings import Settings

if TYPE_CHECKING:
    from workflow_scripts.core.stage import Job

S = TypeVar("S", bound=Settings)

WILDCARD = re.compile(r"\{(\w+)\}")  # in the pattern of an artifact's name


@dataclass(frozen=True, kw_only=True)
class Stage(Generic[S]):
    """A stage: one rule, one file in ``stages/``, one folder of artifacts in each study.

    The code digest reads ``format`` and ``data_files`` without running the file, so they must be literals.

    Attributes:
        run: computes and writes through ``job.file``; its name is the stage's name.
        settings: checks ``--settings``.
        artifact: name of the stage's artifacts; wildcards in braces make the unit, as in ``{run}.{step}.{dataset}``.
            The value of a wildcard contains no dot.
        packages: PyPI packages whose major.minor version can change the bytes.
        not_in_key: settings and inputs that never change bytes. Such an input holds what the stage would otherwise
            compute itself.
        on_device: computes on the device of the config; other stages compute on the CPU.
        numbered: the unit is only a number: the same content under another number is the same artifact, whose manifest
            holds no unit.
        identity: content that was fetched or found, for a stage that computes nothing. The key has it instead of code,
            inputs, unit and environment.
        format: version number of the output's format, raised when the same fetched bytes give another artifact; for
            stages with an ``identity``.
        data_files: files that the stage reads from the checkout, and folders of which it reads all files.
    """

    run: Callable[["Job[S]"], None]
    settings: type[S]
    artifact: str
    packages: tuple[str, ...] = ()
    not_in_key: frozenset[str] = frozenset()
    on_device: bool = False
    numbered: bool = False
    identity: Callable[["Job[S]"], dict[str, Any]] | None = None
    format: int | None = None
    data_files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The stage's name, which its rule, its file and its folders share."""
        return self.run.__name__

    @property
    def unit(self) -> tuple[str, ...]:
        """Names of the wildcards, in order; empty for a stage with one artifact."""
        return tuple(WILDCARD.findall(self.artifact))

    @property
    def by_content(self) -> bool:
        """Whether the key holds the fetched or found content instead of what it was computed from."""
        return self.identity is not None

    def unit_of(self, name: str) -> dict[str, str]:
        """The wildcard values in the name of an artifact."""
        return dict(zip(self.unit, name.split("."), strict=True)) if self.unit else {}

    def in_key(self, named: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, or the inputs, that can change the bytes of an artifact."""
        return {name: value for name, value in named.items() if name not in self.not_in_key}

    def device(self, wanted: str) -> str:
        """The device (``auto``, ``cpu`` or ``cuda``) of the stage's jobs when the config says ``wanted``."""
        return wanted if self.on_device else "cpu"

    def manifest_unit(self, unit: Mapping[str, str]) -> dict[str, str]:
        """The unit as key and manifest hold it: empty where it is only a number."""
        return {} if self.numbered else dict(unit)
