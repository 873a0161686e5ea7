# Networks from pairs.


rule pretrain:
    """One run: method x pairs x augmentation x backbone x seed."""
    input:
        images=lambda w: UNITS.run_images(OUT, w.run),
        pairs=lambda w: UNITS.run_pairs(OUT, w.run),
        captions=lambda w: UNITS.run_captions(OUT, w.run),
        probe=lambda w: UNITS.run_probe(OUT, w.run),
    output:
        **made("pretrain", "{run}"),
    log:
        log_of("pretrain", "{run}"),
    conda:
        "../envs/train.yaml"
    threads: lambda w: WORKERS * UNITS.run_local(w.run)
    resources:
        gpu=lambda w: UNITS.run_gpus(w.run),
        nodes=lambda w: UNITS.run_nodes(w.run),
        # On several nodes the plugin starts the stage without an srun around it ("mpi"), and the stage starts one task
        # on each node itself. Without tasks_per_gpu=0 the plugin would ask for `tasks` tasks per GPU.
        mpi=across_nodes(lambda nodes: "srun"),
        tasks=across_nodes(lambda nodes: nodes),
        tasks_per_gpu=across_nodes(lambda nodes: 0),
        # Five minutes before its time is up the stage is told; it then writes a checkpoint and goes back to the queue.
        slurm_extra="--signal=USR1@300 --open-mode=append",
        mem_mb=lambda w, attempt: (64_000 if GPUS else 4_000) * UNITS.run_local(w.run) * attempt,
        runtime=2_880,  # the next attempt goes on where this one ends
    params:
        **recipe("pretrain"),
    shell:
        command("pretrain", "images", "pairs", "captions", "probe", wildcards=["run"])
