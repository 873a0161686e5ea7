"""Jobs that will run, for the checks before a run."""

from workflow_scripts.study.units import PlannedJob

OUT = "results/study"
Found = dict[str, bool]  # text of a finding -> whether it is certain


def job(stage: str, name: str, sources: tuple[str, ...] = (), **unit: str) -> PlannedJob:
    """A job that will run, reading sources."""
    inputs = {source: [f"{OUT}/source/{source}.manifest.json"] for source in sources}
    outputs = [f"{OUT}/{stage}/{name}.{kind}.json" for kind in ("manifest", "run")]
    return PlannedJob(stage, unit, inputs, outputs, True)


def source(name: str) -> PlannedJob:
    """The job that hashes a source."""
    return job("source", name, source=name)
