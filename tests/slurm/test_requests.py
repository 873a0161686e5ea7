"""What jobs ask SLURM for. The partition `big` has two nodes of 8 GPUs that are never up, so its jobs stay pending."""

from tests.slurm.cluster import Clone, asked_for, give_up, jobs, until

OVERLAY = """
compute: {device: cuda, workers: 4}
runs:
  - {method: simclr, pairs: revised, augmentation: crop, seeds: [0]}
  - {method: simsiam, pairs: revised, augmentation: simclr, seeds: [0], set: {processes: 2}}
  - {method: clip, pairs: revised, augmentation: crop, seeds: [0], set: {processes: 8}}
  - {method: simclr, pairs: revised, augmentation: simclr, seeds: [0], set: {processes: 16, nodes: 2}}
"""
RUNS = {
    "simclr-revised-crop-resnet_small-s0": {"gpus": 1, "cpus": 4, "nodes": 1, "tasks": 1},
    "simsiam-revised-simclr-resnet_small-s0": {"gpus": 2, "cpus": 8, "nodes": 1, "tasks": 1},
    "clip-revised-crop-resnet_small-s0": {"gpus": 8, "cpus": 32, "nodes": 1, "tasks": 1},
    "simclr-revised-simclr-resnet_small-s0": {"gpus": 16, "cpus": 64, "nodes": 2, "tasks": 2},
}


def test_gpus_nodes_and_tasks(copy: Clone) -> None:
    copy.forget_runs()
    overlay = copy.write("big.yaml", OVERLAY)
    resources = ("--default-resources", "mem_mb=4000", "runtime=60", "slurm_partition=big")
    targets = [f"results/tiny/pretrain/{run}.manifest.json" for run in RUNS]
    process = copy.start(overlay, *resources, *copy.only("pretrain"), *targets)
    try:
        until(lambda: process.poll() is not None or len(jobs("pretrain", "PENDING")) == len(RUNS), seconds=200)
        assert process.poll() is None, copy.printed()[-3000:]
        asked = [asked_for(job) for job in jobs("pretrain")]
    finally:
        give_up(process)
    for job in asked:
        wanted = RUNS[job["Comment"].removeprefix("rule_pretrain_wildcards_")]
        total = dict(item.split("=") for item in job["ReqTRES"].split(","))
        assert job["TresPerJob"] == f"gres/gpu:{wanted['gpus']}"
        assert int(total["cpu"]) == wanted["cpus"]
        assert int(job["NumTasks"]) == wanted["tasks"]
        assert int(job["NumNodes"].split("-")[0]) == wanted["nodes"]
        assert job["Requeue"] == "1"
    assert until(lambda: not jobs("pretrain"))
