"""What jobs request."""

from workflow_scripts.core.declaration.facts import LEAST_MB, Load, Resources


def test_cores_and_memory_of_a_job() -> None:
    kinds = ({"workers": True}, {"math": True}, {})
    assert [Resources(minutes=1, memory_mb=1, **kind).cores(8, 4) for kind in kinds] == [8, 4, 1]
    load = Load(rows=100, images=90, labelled=0, masked=0, tested=0, settings={})
    large = Resources(minutes=1, memory_mb=LEAST_MB + 5, data=lambda load: load.rows * 25_001, gpu_mb=lambda _: 1)
    assert (large.memory(load, True), large.memory(load, False)) == (LEAST_MB + 8, LEAST_MB + 3)
