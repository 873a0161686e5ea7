# Sentence and image embeddings, nearest neighbours, and diagnostics of pairs.


rule embed_captions:
    """Embedding of every caption of an arm, of unit length."""
    input:
        captions=manifest("select_captions", "{arm}"),
        encoder=lambda w: UNITS.manifest_if_source(OUT, f"encoder-{w.encoder}"),
        run=lambda w: UNITS.encoder_run(OUT, w.encoder),
        tokenizer=lambda w: UNITS.encoder_tokenizer(OUT, w.encoder),
    output:
        **made("embed_captions"),
    log:
        log_of("embed_captions"),
    conda:
        environment_of("embed_captions")
    threads: cores("embed_captions")
    resources:
        **resources_of("embed_captions"),
    params:
        **recipe("embed_captions"),
    shell:
        command("embed_captions")


rule embed_images:
    """Embedding of every image, of unit length."""
    input:
        images=manifest("image_index", "images"),
        encoder=lambda w: UNITS.manifest_if_source(OUT, f"encoder-{w.encoder}"),
        run=lambda w: UNITS.encoder_run(OUT, w.encoder),
    output:
        **made("embed_images"),
    log:
        log_of("embed_images"),
    conda:
        environment_of("embed_images")
    threads: cores("embed_images")
    resources:
        **resources_of("embed_images"),
    params:
        **recipe("embed_images"),
    shell:
        command("embed_images")


rule pair_table:
    """Partners of every image, such as those with the nearest captions, excluding the image itself."""
    input:
        vectors=lambda w: UNITS.pair_vectors(OUT, w.pairs),
        truth=lambda w: UNITS.pair_truth(OUT, w.pairs),
    output:
        **made("pair_table"),
    log:
        log_of("pair_table"),
    conda:
        environment_of("pair_table")
    threads: cores("pair_table")
    resources:
        **resources_of("pair_table"),
    params:
        **recipe("pair_table"),
    shell:
        command("pair_table")


rule pair_quality:
    """Hubs, reciprocity, false negatives, image similarity and label purity of a pair table, with a figure."""
    input:
        pairs=manifest("pair_table", "{pairs}"),
        captions=lambda w: UNITS.pair_captions(OUT, w.pairs),
        images=manifests("embed_images", UNITS.quality_encoder),
        index=manifest("image_index", "images"),
        truth=manifests("demo_world", UNITS.world),
    output:
        **made("pair_quality"),
    log:
        log_of("pair_quality"),
    conda:
        environment_of("pair_quality")
    resources:
        **resources_of("pair_quality"),
    params:
        **recipe("pair_quality"),
    shell:
        command("pair_quality")
