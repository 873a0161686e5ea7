# From annotations to image shards.


rule annotations:
    """All annotation rows in canonical order; repeated, empty and malformed ones are counted and kept separately."""
    input:
        world=manifests("demo_world", UNITS.world if UNITS.from_world(STUDY.annotations.source) else []),
        annotations=UNITS.manifest_if_source(OUT, "annotations"),
        exclude=UNITS.manifest_if_source(OUT, "exclude"),
    output:
        **made("annotations"),
    log:
        log_of("annotations"),
    conda:
        environment_of("annotations")
    resources:
        **resources_of("annotations"),
    params:
        **recipe("annotations"),
    shell:
        command("annotations")


rule shard_plan:
    """Assign each row to a shard by a hash of its id."""
    input:
        annotations=manifest("annotations", "rows"),
    output:
        **made("shard_plan"),
    log:
        log_of("shard_plan"),
    conda:
        environment_of("shard_plan")
    resources:
        **resources_of("shard_plan"),
    params:
        **recipe("shard_plan"),
    shell:
        command("shard_plan")


rule download:
    """Images of one shard as a WebDataset tar, and the final state of every row."""
    input:
        plan=manifest("shard_plan", "plan"),
        world=manifests("demo_world", UNITS.world),
        annotations=UNITS.manifest_if_source(OUT, "annotations") if UNITS.has_local_images else [],
    output:
        **made("download"),
    log:
        log_of("download"),
    conda:
        environment_of("download")
    resources:
        **resources_of("download"),
    params:
        **recipe("download"),
    shell:
        command("download")


rule image_index:
    """Shard, offset and size of each usable image."""
    input:
        download=manifests("download", SHARDS),
    output:
        **made("image_index"),
    log:
        log_of("image_index"),
    conda:
        environment_of("image_index")
    resources:
        **resources_of("image_index"),
    params:
        **recipe("image_index"),
    shell:
        command("image_index")


rule pack:
    """Images of one shard in one file for training, scaled down if the study says so (`pack`)."""
    input:
        shard=manifest("download", "{shard}"),
    output:
        **made("pack"),
    log:
        log_of("pack"),
    conda:
        environment_of("pack")
    threads: cores("pack")
    resources:
        **resources_of("pack"),
    params:
        **recipe("pack"),
    shell:
        command("pack")


rule pack_index:
    """Pack, offset and size of each image."""
    input:
        packs=manifests("pack", UNITS.packs),
    output:
        **made("pack_index"),
    log:
        log_of("pack_index"),
    conda:
        environment_of("pack_index")
    resources:
        **resources_of("pack_index"),
    params:
        **recipe("pack_index"),
    shell:
        command("pack_index")


rule data_card:
    """Number of kept and lost rows by reason, host, subreddit and year."""
    input:
        annotations=manifest("annotations", "rows"),
        plan=manifest("shard_plan", "plan"),
        download=manifests("download", SHARDS),
    output:
        **made("data_card"),
    log:
        log_of("data_card"),
    conda:
        environment_of("data_card")
    resources:
        **resources_of("data_card"),
    params:
        **recipe("data_card"),
    shell:
        command("data_card")
