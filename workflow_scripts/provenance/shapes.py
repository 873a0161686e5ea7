"""The form of manifests and run records: which fields there are, and of which type.

A field that stages newly write is added here.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from workflow_scripts.core.artifact import MANIFEST, WORD
from workflow_scripts.core.files.plain import check_suffix

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


def _time(text: str) -> str:
    if not _ISO.fullmatch(text):
        raise ValueError("it is not a time with date and zone")
    datetime.fromisoformat(text)
    return text


def _manifest_path(text: str) -> str:
    path = PurePosixPath(text)
    if not path.name.endswith(MANIFEST) or len(path.parts) < 3 or ".." in path.parts[-2:]:
        raise ValueError("it is not the path of a manifest")
    return text


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(pattern=rf"^{WORD.pattern}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Time = Annotated[str, AfterValidator(_time)]
Suffix = Annotated[str, AfterValidator(check_suffix)]
Texts = dict[str, str]
Versions = dict[str, str | None]
_ABSENT: Any = None  # of a field that may be absent, but not null


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class File(_Form):
    """A data file."""

    sha256: Sha256
    bytes: Count


class Rows(_Form):
    """Rows in, out and dropped by reason; none of them where a stage counts no rows."""

    rows_in: Count | None = Field(default=None, alias="in")
    out: Count | None = None
    dropped: dict[str, Count] | None = None


class Manifest(_Form):
    """A manifest."""

    number: int | None = Field(default=None, alias="schema")
    stage: Word
    unit: Texts
    files: dict[Suffix, File]
    rows: Rows = Rows()


class Environment(_Form):
    """What of the machine is in the key."""

    device: Text
    threads: Count
    packages: Texts


class Git(_Form):
    """State of the checkout."""

    commit: str | None
    dirty: bool | None
    diff: str | None


class Acceptance(_Form):
    """Code that counts as other code."""

    stage: Word
    code: Text
    counts_as: Text
    reason: str
    when: Time


class Record(_Form):
    """A run record, or the original's record in that of an artifact from the cache.

    A field may be absent here (:func:`odd_fields` looks for that), but only those with ``| None`` may be null.
    """

    artifact: Text = _ABSENT
    stage: Word = ""
    unit: Texts = {}
    key: Word = ""
    code: Text = ""
    accepted: Acceptance | None = None
    settings: dict[str, Any] = {}
    not_in_key: list[str] = []
    inputs: dict[str, list[Text]] = {}
    input_files: dict[str, list[Annotated[str, AfterValidator(_manifest_path)]]] = {}
    environment: Environment = _ABSENT
    workers: Count = _ABSENT
    cached: bool = False
    original: "Record | None" = None
    closure: Texts = {}
    git: Git | None = None
    facts: dict[str, Any] = {}
    figures: dict[str, Amount | Count] = {}
    beside: dict[Suffix, File] | list[Suffix] = {}
    manifest: Sha256 | None = None
    own_digest: Sha256 = Field(default=_ABSENT, alias="self")
    start: Time = _ABSENT
    end: Time = _ABSENT
    seconds: Amount = _ABSENT
    cpu_seconds: Amount = _ABSENT
    peak_bytes: Count = _ABSENT
    host: str | None = None
    system: str | None = None
    python: str | None = None
    packages: Versions = {}
    cpu_model: str | None = None
    cpus: Count | None = None
    gpu_model: list[str] | None = None
    driver: str | None = None
    determinism: dict[str, Any] = {}
    slurm_job: str | None = None


_MANIFEST, _RECORD = TypeAdapter(Manifest), TypeAdapter(Record)
_OF_COMPUTATION = frozenset(
    ("closure", "git", "facts", "beside", "manifest", "host", "system", "python", "packages", "cpu_model", "cpus")
) | frozenset(("gpu_model", "driver", "determinism", "slurm_job"))
_ALWAYS = frozenset(
    ("artifact", "stage", "unit", "key", "code", "settings", "not_in_key", "inputs", "input_files", "environment")
) | frozenset(("workers", "start", "end", "seconds", "cpu_seconds", "peak_bytes", "self"))


def manifest_fault(content: dict[str, Any]) -> str | None:
    """What does not have the form of a manifest; None if everything does."""
    return next(_faults(_MANIFEST, content), None) or _rows_fault(content.get("rows") or {})


def record_fault(content: dict[str, Any]) -> str | None:
    """The field, among those that tools read, whose type no stage writes; None if there is none."""
    return next(_faults(_RECORD, content, unknown=False), None) or _inputs_fault(content)


def odd_fields(content: dict[str, Any]) -> str | None:
    """Missing and superfluous fields of a run record whose types are right; None if there are none."""
    more = next(_faults(_RECORD, content, unknown=True), None)
    if more is not None:
        return more
    made = content.get("original")
    lacking = sorted((_ALWAYS if made is not None else _ALWAYS | _OF_COMPUTATION) - content.keys())
    if lacking:
        return f"it lacks {', '.join(lacking)}"
    return None if made is None or not (inner := odd_fields(made)) else f"the original's record in it: {inner}"


def _faults(form: TypeAdapter[Any], content: dict[str, Any], unknown: bool | None = None) -> Iterator[str]:
    try:
        form.validate_python(content)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            if unknown is None or (one["type"] == "extra_forbidden") == unknown:
                yield _said(one)


def _said(error: ErrorDetails) -> str:
    return f"its {'.'.join(str(part) for part in error['loc'])[:200]}: {error['msg']}"


def _rows_fault(rows: dict[str, Any]) -> str | None:
    if not rows:
        return None
    total, out, dropped = rows.get("in"), rows.get("out"), rows.get("dropped")
    if total is None or out is None or dropped is None or total != out + sum(dropped.values()):
        return "its rows do not add up"
    return None


def _inputs_fault(record: dict[str, Any]) -> str | None:
    for one in (record, record.get("original") or {}):
        files = one.get("input_files", {})
        for name, hashes in one.get("inputs", {}).items():
            if len(files.get(name, [])) not in (0, len(hashes)):
                return f"its input_files.{name}: {len(files[name])} paths for {len(hashes)} hashes"
    return None
