# Annotations to image shards.


rule annotations:
    """All annotation rows in canonical order; repeated, empty and malformed ones counted and kept apart."""
    input:
        world=manifests("demo_world", UNITS.world if UNITS.from_world(STUDY.annotations.source) else []),
        annotations=UNITS.manifest_if_source(OUT, "annotations"),
        exclude=UNITS.manifest_if_source(OUT, "exclude"),
    output:
        **made("annotations", "rows"),
    log:
        log_of("annotations", "rows"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(8_000),
        runtime=more(120),
    params:
        **recipe("annotations"),
    shell:
        command("annotations", "world", "annotations", "exclude")


rule shard_plan:
    """Which row goes to which shard, decided by content."""
    input:
        annotations=manifest("annotations", "rows"),
    output:
        **made("shard_plan", "plan"),
    log:
        log_of("shard_plan", "plan"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(8_000),
        runtime=more(60),
    params:
        **recipe("shard_plan"),
    shell:
        command("shard_plan", "annotations")


rule download:
    """Images of one shard as a WebDataset tar, and the final state of every row."""
    input:
        plan=manifest("shard_plan", "plan"),
        world=manifests("demo_world", UNITS.world),
        annotations=UNITS.manifest_if_source(OUT, "annotations") if UNITS.has_local_images else [],
    output:
        **made("download", "{shard}"),
    log:
        log_of("download", "{shard}"),
    conda:
        "../envs/core.yaml"
    resources:
        downloads=1,  # how many a SLURM job works on at a time is the profile's choice
        mem_mb=more(4_000),
        runtime=120,  # the next attempt goes on where this one ends
    params:
        **recipe("download"),
    shell:
        command("download", "plan", "world", "annotations", wildcards=["shard"])


rule image_index:
    """Where each good image lies: shard, offset, size."""
    input:
        download=manifests("download", SHARDS),
    output:
        **made("image_index", "images"),
    log:
        log_of("image_index", "images"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(8_000),
        runtime=more(60),
    params:
        **recipe("image_index"),
    shell:
        command("image_index", "download")


rule data_card:
    """What was kept and what was lost, per reason, host, subreddit and year."""
    input:
        annotations=manifest("annotations", "rows"),
        plan=manifest("shard_plan", "plan"),
        download=manifests("download", SHARDS),
    output:
        **made("data_card", "data_card"),
    log:
        log_of("data_card", "data_card"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(8_000),
        runtime=more(60),
    params:
        **recipe("data_card"),
    shell:
        command("data_card", "annotations", "plan", "download")
