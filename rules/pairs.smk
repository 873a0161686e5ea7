# Sentence and image vectors, nearest neighbours, and what the pairs are like.


rule embed_captions:
    """Unit vector of every caption of an arm."""
    input:
        captions=manifest("select_captions", "{arm}"),
        encoder=manifest("source", "encoder-{encoder}"),
    output:
        **made("embed_captions", "{arm}.{encoder}"),
    log:
        log_of("embed_captions", "{arm}.{encoder}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(96_000 if GPUS else 4_000),
        runtime=more(480),
    params:
        **recipe("embed_captions"),
    shell:
        command("embed_captions", "captions", "encoder", wildcards=["arm", "encoder"])


rule embed_images:
    """Unit vector of every image."""
    input:
        images=manifest("image_index", "images"),
        encoder=manifest("source", "encoder-{encoder}"),
    output:
        **made("embed_images", "{encoder}"),
    log:
        log_of("embed_images", "{encoder}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(96_000 if GPUS else 4_000),
        runtime=more(720),
    params:
        **recipe("embed_images"),
    shell:
        command("embed_images", "images", "encoder", wildcards=["encoder"])


rule pair_table:
    """Nearest captions (or images) of every image, the image itself left out."""
    input:
        vectors=lambda w: UNITS.pair_vectors(OUT, w.pairs),
    output:
        **made("pair_table", "{pairs}"),
    log:
        log_of("pair_table", "{pairs}"),
    conda:
        "../envs/knn-gpu.yaml" if GPUS else "../envs/knn-cpu.yaml"
    threads: WORKERS
    resources:
        gpu=GPUS,
        mem_mb=more(96_000 if GPUS else 4_000),
        runtime=more(480),
    params:
        **recipe("pair_table"),
    shell:
        command("pair_table", "vectors", wildcards=["pairs"])


rule pair_quality:
    """Hubs, reciprocity, repeats, image similarity and label purity of a pair table, with a figure."""
    input:
        pairs=manifest("pair_table", "{pairs}"),
        images=manifests("embed_images", UNITS.quality_encoder),
        index=manifest("image_index", "images"),
        truth=manifests("demo_world", UNITS.world),
    output:
        **made("pair_quality", "{pairs}"),
    log:
        log_of("pair_quality", "{pairs}"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(32_000),
        runtime=more(120),
    params:
        **recipe("pair_quality"),
    shell:
        command("pair_quality", "pairs", "images", "index", "truth", wildcards=["pairs"])
