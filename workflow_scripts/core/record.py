"""Manifests and run records: which fields there are and of which type, and reading them with limits.

The only reader of both, beside an artifact as in a cache entry. A field that stages newly write is added here.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from workflow_scripts.core.files.bounded_json import Unfit, parse_object, read_bytes
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.names import ENTRY_MANIFEST, ENTRY_RECORD
from workflow_scripts.core.files.notes import is_intact
from workflow_scripts.core.files.plain import OWN, check_inside, check_suffix

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")


def _time(text: str) -> str:
    if not _ISO.fullmatch(text):
        raise ValueError("it is not a time with date and zone")
    datetime.fromisoformat(text)
    return text


def _manifest_path(text: str) -> str:
    path = PurePosixPath(text)
    if not path.name.endswith(OWN[0]) or ".." in path.parts[-2:]:
        raise ValueError("it is not the path of a manifest")
    return text


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]+$", max_length=100)]  # stages; keys have 64
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Time = Annotated[str, AfterValidator(_time)]
Suffix = Annotated[str, AfterValidator(check_suffix)]
Texts = dict[str, str]
_ABSENT: Any = None  # of a field that may be absent, but not null


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", populate_by_name=False)


class File(_Form):
    """A data file."""

    sha256: Sha256
    bytes: Count


class Rows(_Form):
    """Rows in, out and dropped by reason; none of them where a stage counts no rows."""

    rows_in: Count = Field(default=_ABSENT, alias="in")
    out: Count = _ABSENT
    dropped: dict[str, Count] = _ABSENT

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if self.model_fields_set and (
            len(self.model_fields_set) < 3 or self.rows_in != self.out + sum(self.dropped.values())
        ):
            raise ValueError("the rows do not add up")
        return self


class Manifest(_Form):
    """A manifest."""

    number: int = Field(default=_ABSENT, alias="schema")
    stage: Word
    unit: Texts
    files: dict[Suffix, File]
    rows: Rows


class Environment(_Form):
    """The part of the machine that is in the key."""

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


class Recipe(_Form):
    """What a key was computed from: the first part of a run record, which its readers rely on.

    Any field of a record may be absent (:func:`odd_fields` looks for that), but only those with ``| None`` may be null.
    """

    model_config = ConfigDict(extra="allow")

    artifact: Text = _ABSENT
    stage: Word = ""
    unit: Texts = {}
    key: Word = ""
    code: Text = ""
    uses: dict[str, list[str]] = {}
    settings: dict[str, Any] = {}
    not_in_key: list[str] = []
    inputs: dict[str, list[Text]] = {}
    input_files: dict[str, list[Annotated[str, AfterValidator(_manifest_path)]]] = {}
    environment: Environment = _ABSENT
    workers: Count = _ABSENT
    own_digest: Sha256 = Field(default=_ABSENT, alias="self")

    @model_validator(mode="after")
    def _paths_and_hashes(self) -> Self:
        for name, hashes in self.inputs.items():
            if (count := len(self.input_files.get(name, []))) not in (0, len(hashes)):
                raise ValueError(f"input_files.{name} has {count} paths for {len(hashes)} hashes")
        return self


class Reuse(Recipe):
    """What every run record has; that of an artifact from the cache has little more."""

    start: Time = _ABSENT
    end: Time = _ABSENT
    seconds: Amount = _ABSENT
    cpu_seconds: Amount = _ABSENT
    peak_bytes: Count = _ABSENT


class Kept(Recipe):
    """What the record in a cache entry must have; other versions may describe the rest in other ways."""

    beside: dict[Suffix, File] = {}
    manifest: Sha256 | None = None


class Computation(Reuse, Kept):
    """What the record of a computation has."""

    closure: Texts = {}
    git: Git | None = None
    facts: dict[str, Any] = {}
    host: str | None = None
    system: str | None = None
    python: str | None = None
    packages: dict[str, str | None] = {}
    cpu_model: str | None = None
    cpus: Count | None = None
    gpu_model: list[str] | None = None
    driver: str | None = None
    determinism: dict[str, Any] = {}
    slurm_job: str | None = None


class Record(Computation):
    """A run record, or the original's record in that of an artifact from the cache."""

    cached: bool = False
    original: "Record | None" = None
    accepted: Acceptance | None = None
    figures: dict[str, Amount | Count] = {}
    package_records: Texts = {}


def _names(form: type[_Form]) -> set[str]:
    return {field.alias or name for name, field in form.model_fields.items()}


_OPTIONAL = {"uses"}  # of stages that read no registry
_IN_ALL, _IN_COMPUTATIONS = _names(Reuse) - _OPTIONAL, _names(Computation) - _OPTIONAL
_KNOWN = _names(Record)


def _fault(form: type[_Form], content: Mapping[str, Any]) -> str | None:
    """What does not have the form of a manifest or run record; None if everything does."""
    try:
        form.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"its {'.'.join(str(part) for part in first['loc'])[:200] or 'content'}: {first['msg']}"
    return None


def odd_fields(content: Mapping[str, Any]) -> str | None:
    """Missing and superfluous fields of a run record whose types are right; None if there are none."""
    original = content.get("original")
    required = _IN_COMPUTATIONS if original is None else _IN_ALL
    for verb, names in (("has", content.keys() - _KNOWN), ("lacks", required - content.keys())):
        if names:
            return f"it {verb} {', '.join(sorted(names))[:200]}"
    inner = None if original is None else odd_fields(original)
    return inner and f"the original's record in it: {inner}"


class Loaded(NamedTuple):
    """What was read of a manifest or run record.

    Attributes:
        data: its bytes; empty if there are none to read.
        content: its object; empty if it is not an object.
        fault: what is wrong with it, also with its form, or None.
        missing: whether there is no such file.
        unreadable: whether there is one, but a permission or disk error prevents reading it.
    """

    data: bytes
    content: dict[str, Any]
    fault: str | None = None
    missing: bool = False
    unreadable: bool = False


def load_manifest(path: Path) -> Loaded:
    """A manifest.

    Raises:
        OSError: it exists but can't be read.
    """
    return _load(path, Manifest)


def load_record(path: Path) -> Loaded:
    """A run record. Raises as :func:`load_manifest`."""
    return _load(path, Record)


def load_recipe(path: Path) -> Loaded:
    """What a key was computed from, of a run record or of unfinished work. Raises as :func:`load_manifest`."""
    return _load(path, Recipe)


def _load(path: Path, form: type[_Form]) -> Loaded:
    data = b""
    try:
        data = read_bytes(path)
        content = parse_object(data)
    except Unfit as error:
        return Loaded(data, {}, str(error))
    except (FileNotFoundError, NotADirectoryError) as error:
        return Loaded(data, {}, f"there is none ({error.strerror})", missing=True)
    return Loaded(data, content, _fault(form, content))


class Entry(NamedTuple):
    """A cache entry that is intact, apart from its data files, which are not read."""

    folder: Path
    manifest: dict[str, Any]
    record: dict[str, Any]

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Suffix -> sha256 and bytes of every file that it holds."""
        return {**self.manifest["files"], **self.record.get("beside", {})}


def read_entry(folder: Path, to_the_byte: bool = False) -> Entry:
    """The entry in a folder.

    Every user of the results folder can write to the cache. So what is returned names plain files in the entry's own
    folder, and no link is in it.

    Args:
        to_the_byte: refuse also what the workflow writes differently, but reads.

    Raises:
        Unfit: it is damaged; says where.
        OSError: a file is missing or can't be read.
    """
    check_inside(folder)
    contents = []
    for name, form in ((ENTRY_MANIFEST, Manifest), (ENTRY_RECORD, Record if to_the_byte else Kept)):
        data = read_bytes(folder / name)
        try:
            content = parse_object(data)
        except Unfit as error:
            raise Unfit(f"{name}: {error}") from None
        fault = _fault(form, content)
        if fault is None and to_the_byte:
            odd = odd_fields(content) if form is Record else None
            fault = odd or ("it is not formatted as the workflow writes it" if data != pretty(content) else None)
        if fault is not None:
            raise Unfit(f"{name}: {fault}")
        contents.append(content)
    manifest, record = contents
    if not is_intact(record):
        raise Unfit("its run record was edited: it does not match its digest")
    if record.get("manifest") != digest(manifest):
        raise Unfit("its manifest is not the original one")
    if record.get("key") != folder.name or record.get("stage") != folder.parent.name:
        raise Unfit("it belongs to another key")
    return Entry(folder, manifest, record)
