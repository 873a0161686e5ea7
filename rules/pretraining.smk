# From pairs to pretrained networks.


rule tokenizer:
    """The tokenizer of all runs that learn from tokens, loaded or trained on the original captions."""
    input:
        **inputs_of("tokenizer"),
    output:
        **made("tokenizer"),
    log:
        log_of("tokenizer"),
    conda:
        environment_of("tokenizer")
    threads: cores("tokenizer")
    resources:
        **resources_of("tokenizer"),
    params:
        **recipe("tokenizer"),
    shell:
        command("tokenizer")


rule tokens:
    """Captions of an arm as rows of tokens."""
    input:
        **inputs_of("tokens"),
    output:
        **made("tokens"),
    log:
        log_of("tokens"),
    conda:
        environment_of("tokens")
    threads: cores("tokens")
    resources:
        **resources_of("tokens"),
    params:
        **recipe("tokens"),
    shell:
        command("tokens")


rule common_images:
    """Images that all runs train on, where the study says so (`common_images: true`)."""
    input:
        **inputs_of("common_images"),
    output:
        **made("common_images"),
    log:
        log_of("common_images"),
    conda:
        environment_of("common_images")
    resources:
        **resources_of("common_images"),
    params:
        **recipe("common_images"),
    shell:
        command("common_images")


rule pretrain:
    """One run: method x pairs x augmentation x backbone x seed."""
    input:
        **inputs_of("pretrain"),
    output:
        **made("pretrain"),
    log:
        log_of("pretrain"),
    conda:
        environment_of("pretrain")
    threads: cores("pretrain", run_local)
    resources:
        **(resources_of("pretrain", run_local) | {"gpu": lambda w: GPUS * UNITS.trainings[w.run].settings.gpus}),
        nodes=lambda w: UNITS.trainings[w.run].settings.nodes,
        # On several nodes, the plugin starts the stage without srun ("mpi"), and the stage itself starts one task on
        # each node. Without tasks_per_gpu=0, the plugin would request `tasks` tasks per GPU.
        mpi=across_nodes(lambda nodes: "srun"),
        tasks=across_nodes(lambda nodes: nodes),
        tasks_per_gpu=across_nodes(lambda nodes: 0),
        slurm_extra=lambda w: REQUESTS.slurm_options(w.run),
    params:
        **recipe("pretrain"),
    shell:
        command("pretrain")
