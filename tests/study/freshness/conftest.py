from pathlib import Path

import pytest

from tests.helpers import make_artifact
from tests.study.freshness.jobs import ALL, Reason, job, record, study
from workflow_scripts.study.freshness import Freshness
from workflow_scripts.study.units import PlannedJob, Units


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return study(tmp_path)


@pytest.fixture
def reason(results: Path, units: Units) -> Reason:
    """Why the artifact of the last job is stale, or None."""

    def ask(*jobs: PlannedJob, of: Units = units, triggers: frozenset[str] = ALL) -> str | None:
        check = Freshness(results, of)
        stale = check.decide(jobs, triggers)[jobs[-1]]
        why = check.reasons.get(jobs[-1].outputs[0])
        assert stale == (why is not None)
        return why

    return ask


@pytest.fixture
def card(results: Path, units: Units) -> PlannedJob:
    """A data card that is as today's code, settings and inputs make it."""
    shards = [make_artifact(results, "download", name, {".tar": name.encode()}) for name in ("00000", "00001")]
    made = make_artifact(results, "data_card", "data_card", {".txt": b"x"})
    record(made, units, {}, {"download": shards})
    return job(made, download=shards)
