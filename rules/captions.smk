# Generated captions, their scores, the arms of the study, and diagnostics.


rule recaption:
    """BLIP-2's caption(s) of every image of a shard; ITM and ITC of the original and of each generated caption."""
    input:
        shard=manifest("download", "{shard}"),
        captioner=manifest("source", "captioner"),
        matcher=manifest("source", "matcher"),
    output:
        **made("recaption", "{shard}"),
    log:
        log_of("recaption", "{shard}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        recaptions=1,  # how many a SLURM job works on at a time is the profile's choice
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(90),
    params:
        **recipe("recaption"),
    shell:
        command("recaption", "shard", "captioner", "matcher", wildcards=["shard"])


rule caption_table:
    """One row per image: original and generated captions with their scores, all shards together."""
    input:
        images=manifest("image_index", "images"),
        download=manifests("download", SHARDS),
        recaption=manifests("recaption", SHARDS),
    output:
        **made("caption_table", "captions"),
    log:
        log_of("caption_table", "captions"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(32_000),
        runtime=more(120),
    params:
        **recipe("caption_table"),
    shell:
        command("caption_table", "images", "download", "recaption")


rule select_captions:
    """One caption per image for an arm: original, generated, revised, shuffled, mixed or external."""
    input:
        captions=manifest("caption_table", "captions"),
        external=lambda w: UNITS.manifest_if_source(OUT, f"captions-{w.arm}"),
    output:
        **made("select_captions", "{arm}"),
    log:
        log_of("select_captions", "{arm}"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(16_000),
        runtime=more(60),
    params:
        **recipe("select_captions"),
    shell:
        command("select_captions", "captions", "external", wildcards=["arm"])


rule caption_quality:
    """Diagnostics of an arm's captions, per caption and in summary, with a figure."""
    input:
        captions=manifest("select_captions", "{arm}"),
        images=manifest("image_index", "images"),
        matcher=manifest("source", "matcher"),
    output:
        **made("caption_quality", "{arm}"),
    log:
        log_of("caption_quality", "{arm}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(32_000 if GPUS else 4_000),
        runtime=more(240),
    params:
        **recipe("caption_quality"),
    shell:
        command("caption_quality", "captions", "images", "matcher", wildcards=["arm"])
