# Sentence and image embeddings, nearest neighbours, and diagnostics of pairs.


rule embed_captions:
    """Embedding of every caption of an arm, of unit length."""
    input:
        **inputs_of("embed_captions"),
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
        **inputs_of("embed_images"),
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
        **inputs_of("pair_table"),
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
        **inputs_of("pair_quality"),
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
