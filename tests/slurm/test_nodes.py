"""One training run on two nodes. The partition `twins` has two, each a slurmd of its own on this machine."""

import pyarrow.parquet as pq
import pytest

from tests.slurm.cluster import Clone, finished_jobs

RUN = "results/tiny/pretrain/simclr-revised-crop-resnet_small-s0"
ONE = """
runs:
  - {method: simclr, pairs: revised, augmentation: crop, seeds: [0]}
pretraining: {steps: 8, lr: 1.0e-3, log_every: 1, checkpoint_every: 4, probe: {every: 8, images: 64, neighbours: 5}}
"""
TWO = f"{ONE.replace('seeds: [0]', 'seeds: [0], set: {processes: 2, nodes: 2}')}"
ON_TWINS = ("--default-resources", "mem_mb=4000", "runtime=60", "slurm_partition=twins")


def losses(clone: Clone) -> list[float]:
    """The run's training loss at each step."""
    return list(pq.read_table(clone.folder / RUN / "curve.parquet")["loss"].drop_null().to_pylist())


def rerun(clone: Clone) -> list[str]:
    """Forget all runs; gives the words that run this one and nothing else."""
    clone.forget_runs()
    return [*clone.only("pretrain"), f"{RUN}.manifest.json"]


def test_training_on_two_nodes_matches_a_single_process(copy: Clone) -> None:
    copy.ends_well(copy.start(copy.write("one.yaml", ONE), *ON_TWINS, *rerun(copy)))
    alone = losses(copy)
    copy.ends_well(copy.start(copy.write("two.yaml", TWO), *ON_TWINS, *rerun(copy)))
    assert losses(copy) == pytest.approx(alone, rel=1e-4)
    record = copy.records()[RUN.removeprefix("results/tiny/")]
    job = finished_jobs()[record["slurm_job"]]
    assert (job["NodeCnt"], job["JobState"]) == ("2", "COMPLETED")


def test_a_run_on_a_wrong_number_of_nodes_is_refused(copy: Clone) -> None:
    fewer = ("--set-resources", "pretrain:nodes=1", "--retries=0")
    process = copy.start(copy.write("two.yaml", TWO), *ON_TWINS, *fewer, *rerun(copy))
    assert process.wait(timeout=300) == 1
    wanted = "error: wrong number of nodes in pretrain: SLURM allocated 1, but the settings say 2; request as many"
    assert copy.printed().splitlines()[-1].startswith(wanted), copy.printed()[-3000:]
