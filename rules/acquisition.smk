# From annotations to image shards.


rule annotations:
    """All annotation rows in canonical order; repeated, empty and malformed ones are counted and kept separately."""
    input:
        **inputs_of("annotations"),
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
        **inputs_of("shard_plan"),
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
        **inputs_of("download"),
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
        **inputs_of("image_index"),
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
        **inputs_of("pack"),
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
        **inputs_of("pack_index"),
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
        **inputs_of("data_card"),
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
