# Frozen networks on downstream sets: probe, few-shot, Grad-CAM.
# `{run}.{step}` names a checkpoint; all datasets of one checkpoint are evaluated in one job.
DATASETS = manifests("eval_dataset", UNITS.datasets)


rule eval_dataset:
    """A downstream dataset in the one form that all evaluations read."""
    input:
        world=lambda w: UNITS.dataset_world(OUT, w.dataset),
        dataset=lambda w: UNITS.manifest_if_source(OUT, f"dataset-{w.dataset}"),
    output:
        **made("eval_dataset", "{dataset}"),
    log:
        log_of("eval_dataset", "{dataset}"),
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=more(4_000),
        runtime=more(240),
    params:
        **recipe("eval_dataset"),
    shell:
        command("eval_dataset", "world", "dataset", wildcards=["dataset"])


rule features:
    """Frozen features of a checkpoint on every downstream set."""
    input:
        run=manifest("pretrain", "{run}"),
        datasets=DATASETS,
    output:
        **made("features", "{run}.{step}"),
    log:
        log_of("features", "{run}.{step}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(240),
    params:
        **recipe("features"),
    shell:
        command("features", "run", "datasets", wildcards=["run", "step"])


rule linear_probe:
    """Logistic regression on frozen features; its strength chosen on validation data alone."""
    input:
        features=manifest("features", "{run}.{step}"),
        datasets=DATASETS,
    output:
        **made("linear_probe", "{run}.{step}"),
    log:
        log_of("linear_probe", "{run}.{step}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(720),
    params:
        **recipe("linear_probe"),
    shell:
        command("linear_probe", "features", "datasets", wildcards=["run", "step"])


rule few_shot:
    """Nearest-prototype accuracy over many small episodes."""
    input:
        features=manifest("features", "{run}.{step}"),
        datasets=DATASETS,
    output:
        **made("few_shot", "{run}.{step}"),
    log:
        log_of("few_shot", "{run}.{step}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        mem_mb=more(16_000 if GPUS else 4_000),
        runtime=more(240),
    params:
        **recipe("few_shot"),
    shell:
        command("few_shot", "features", "datasets", wildcards=["run", "step"])


rule saliency:
    """Grad-CAM maps against object masks, with the uniform map and a centre Gaussian beside them."""
    input:
        run=manifest("pretrain", "{run}"),
        features=manifest("features", "{run}.{step}"),
        probe=manifest("linear_probe", "{run}.{step}"),
        datasets=manifests("eval_dataset", UNITS.mask_datasets),
    output:
        **made("saliency", "{run}.{step}"),
    log:
        log_of("saliency", "{run}.{step}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(240),
    params:
        **recipe("saliency"),
    shell:
        command("saliency", "run", "features", "probe", "datasets", wildcards=["run", "step"])
