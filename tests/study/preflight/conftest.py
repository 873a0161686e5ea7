"""The checks before a run, on the small study."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.study.config.configs import planned
from tests.study.preflight.jobs import Found
from workflow_scripts.study.preflight.check import findings
from workflow_scripts.study.preflight.findings import Start
from workflow_scripts.study.units import PlannedJob


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Found]:
    """Gives the findings (text -> whether certain) for jobs of the small study with changes, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()

    def found(jobs: list[PlannedJob], change: dict[str, Any] | None = None, **more: Any) -> Found:
        units = planned("tests/config/tiny.yaml", change={"study": "study", **(change or {})})
        return {str(one.error): one.certain for one in findings(Start(units, Path("results"), jobs, **more))}

    return found
