"""What there is to damage."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import results_root
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed

Changed = set[Path]
Way = Callable[[Path, random.Random], Changed]


def files(study: Path) -> list[Path]:
    """Manifests, run records and data files."""
    return sorted(path for path in study.rglob("*") if path.is_file())


def of_kind(study: Path, kind: str) -> list[Path]:
    """``manifest``, ``record`` or ``data`` files."""
    ends = {"manifest": (MANIFEST,), "record": (RUN,)}
    if kind in ends:
        return [path for path in files(study) if path.name.endswith(ends[kind])]
    return [path for path in files(study) if not path.name.endswith((MANIFEST, RUN))]


def any_file(study: Path, chance: random.Random) -> Path:
    """A file, each kind equally likely."""
    return chance.choice(of_kind(study, chance.choice(["manifest", "record", "data"])))


def stem(path: Path) -> Path:
    """The artifact of a manifest or run record, without suffix."""
    return path.with_name(path.name.removesuffix(MANIFEST).removesuffix(RUN))


def files_of(artifact: Path) -> list[Path]:
    """All files of an artifact."""
    beside = [path for path in artifact.parent.glob(f"{artifact.name}.*") if path.is_file()]
    inside = [path for path in artifact.rglob("*") if path.is_file()] if artifact.is_dir() else []
    names = [other.name.removesuffix(MANIFEST) for other in artifact.parent.glob(f"{artifact.name}.*{MANIFEST}")]
    longer = tuple(f"{name}." for name in names if name != artifact.name)
    return sorted(path for path in [*beside, *inside] if not path.name.startswith(longer or ("\0",)))


def entry_of(record: Path) -> Path:
    """The cache entry of an artifact."""
    content = json.loads(record.read_bytes())
    return results_root(record) / ".cache" / str(content["stage"]) / str(content["key"])


def replace_bytes(path: Path, data: bytes) -> None:
    """Write a new file in place of the old one, so that hard links keep their bytes."""
    path.unlink()
    path.write_bytes(data)


def rewrite(record: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a record and give it a valid digest again."""
    content = json.loads(record.read_bytes())
    content.pop("self")
    change(content)
    replace_bytes(record, pretty(sealed(content)))


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every value below a JSON value, as container and key; values of settings and facts have no fixed types."""
    for key, value in list(content.items()) if isinstance(content, dict) else list(enumerate(content)):
        yield content, key
        if isinstance(value, dict | list) and key not in ("settings", "facts", "determinism"):
            yield from places(value)
