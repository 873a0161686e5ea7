# Frozen networks on downstream sets: probe, few-shot, Grad-CAM.
# `{run}.{step}` names a checkpoint, `{run}.{step}.{dataset}` its evaluation on one set; no part has a dot in it.
EVALUATION = "{run}.{step}.{dataset}"
WILDCARDS = ["run", "step", "dataset"]


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
    """Frozen features of a checkpoint on a downstream set."""
    input:
        run=manifest("pretrain", "{run}"),
        dataset=manifest("eval_dataset", "{dataset}"),
    output:
        **made("features", EVALUATION),
    log:
        log_of("features", EVALUATION),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        evaluations=1,  # how many a SLURM job works on at a time is the profile's choice
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(30),
    params:
        **recipe("features"),
    shell:
        command("features", "run", "dataset", wildcards=WILDCARDS)


rule linear_probe:
    """Logistic regression on frozen features; its strength chosen on validation data alone."""
    input:
        features=manifest("features", EVALUATION),
        dataset=manifest("eval_dataset", "{dataset}"),
    output:
        **made("linear_probe", EVALUATION),
    log:
        log_of("linear_probe", EVALUATION),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        evaluations=1,
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(60),
    params:
        **recipe("linear_probe"),
    shell:
        command("linear_probe", "features", "dataset", wildcards=WILDCARDS)


rule few_shot:
    """Nearest-prototype accuracy over many small episodes."""
    input:
        features=manifest("features", EVALUATION),
        dataset=manifest("eval_dataset", "{dataset}"),
    output:
        **made("few_shot", EVALUATION),
    log:
        log_of("few_shot", EVALUATION),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        evaluations=1,
        mem_mb=more(16_000 if GPUS else 4_000),
        runtime=more(20),
    params:
        **recipe("few_shot"),
    shell:
        command("few_shot", "features", "dataset", wildcards=WILDCARDS)


rule saliency:
    """Grad-CAM maps against object masks, with the uniform map and a centre Gaussian beside them."""
    input:
        run=manifest("pretrain", "{run}"),
        features=manifest("features", EVALUATION),
        probe=manifest("linear_probe", EVALUATION),
        dataset=manifest("eval_dataset", "{dataset}"),
    output:
        **made("saliency", EVALUATION),
    log:
        log_of("saliency", EVALUATION),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        evaluations=1,
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(60),
    params:
        **recipe("saliency"),
    shell:
        command("saliency", "run", "features", "probe", "dataset", wildcards=WILDCARDS)
