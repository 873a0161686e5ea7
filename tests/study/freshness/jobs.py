"""Planned jobs and run records of the smallest study."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.study.config.configs import merged
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.digest import code_digest
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import PlannedJob, Units

ALL = frozenset({"code", "input", "mtime", "params", "software-env"})
CPU = {"device": "cpu", "threads": 1, "packages": {}}


def study(tmp_path: Path, **compute: object) -> Units:
    """A study whose annotation zip is a file of this test."""
    (tmp_path / "a.zip").write_bytes(b"first")
    config = merged("tests/config/tiny.yaml")
    config["annotations"]["source"] = str(tmp_path / "a.zip")
    config["compute"] |= compute
    return Units(load_study(config))


def job(manifest: Path, unit: Mapping[str, str] | None = None, **inputs: Sequence[Path]) -> PlannedJob:
    """The job of an artifact, as it is planned today."""
    named = {name: [str(path) for path in paths] for name, paths in inputs.items()}
    run = str(manifest).replace(".manifest.json", ".run.json")
    return PlannedJob(manifest.parent.name, dict(unit or {}), named, [str(manifest), run], requested=True)


def record(
    manifest: Path, units: Units, unit: dict[str, str], read: Mapping[str, Sequence[Path]], **changes: Any
) -> None:
    """Write an artifact's run record: made by today's code and settings, but for ``changes``."""
    stage = manifest.parent.name
    settings, declared = units.settings(stage, unit), declaration(stage)
    code = code_digest(stage, declared.uses(settings) if declared else ())
    values: dict[str, Any] = {"stage": stage, "unit": unit, "code": code, "environment": CPU, "settings": settings}
    values["input_files"] = {name: [str(path) for path in paths] for name, paths in read.items()}
    values["inputs"] = {name: [manifest_hash(path) for path in paths] for name, paths in read.items()}
    path = Path(str(manifest).replace(".manifest.json", ".run.json"))
    path.write_text(json.dumps({**values, **changes}))


Reason = Callable[..., str | None]
