"""Copies of a run's images on the nodes that it runs on, and what its record says about them."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from workflow_scripts.core.cache import results_root
from workflow_scripts.core.stage_in.stage_in import note_folder, staged
from workflow_scripts.pretraining.training.interrupt import TERMINATED, Interrupt
from workflow_scripts.pretraining.training.plan import Plan

REPORT = "stage-in-{}.json"  # of each process


@contextmanager
def staged_plan(plan: Plan, interrupt: Interrupt, rank: int = 0) -> Iterator[Plan]:
    """The plan with images that are read from copies on this node, if the settings say so; they stay for later runs.

    Args:
        interrupt: ends the copying.
        rank: of this process in the run.

    Raises:
        SystemExit: 143 after an interrupt.
        PipelineError: a shard or pack is missing, or its manifest is damaged.
        OSError: one of them can't be read.
    """
    wanted, report_file = plan.settings.stage_in, plan.work / REPORT.format(rank)
    report_file.unlink(missing_ok=True)  # of a start before this one
    if wanted is None:
        yield plan
        return

    def stop() -> None:
        if interrupt.here:
            raise SystemExit(TERMINATED)

    note_folder(results_root(plan.images.tars[0]), wanted.folder)
    with staged(plan.images, wanted.folder, int(wanted.max_gb * 1e9), stop) as (images, report):
        # Not synced: an attempt after a crash writes its own.
        report_file.write_text(json.dumps(asdict(report)))
        yield replace(plan, images=images)


def stage_in_facts(work: Path) -> dict[str, Any]:
    """What a run's record says: files and bytes that each node reads from copies, bytes that were copied on all nodes
    together, seconds of the slowest process, and the files that were read from the shared file system, by reason.

    Empty if nothing was to be copied. After a restart, that of the last start.
    """
    reports = [json.loads(path.read_bytes()) for path in work.glob(REPORT.format("*"))]
    if not reports:
        return {}
    on_shared: Counter[str] = Counter()
    for report in reports:
        on_shared |= Counter(report["on_shared"])
    return {
        "files": max(report["files"] for report in reports),
        "bytes": max(report["bytes"] for report in reports),
        "copied_bytes": sum(report["copied"] for report in reports),
        "seconds": max(report["seconds"] for report in reports),
        "on_shared": dict(on_shared),
    }
