# Generated captions, their scores, the arms of the study, and diagnostics.


rule recaption:
    """Generated caption(s) of every image of a shard; ITM and ITC of the original and of each generated caption."""
    input:
        shard=manifest("download", "{shard}"),
        captioner=manifest("source", "captioner"),
        matcher=manifest("source", "matcher"),
    output:
        **made("recaption"),
    log:
        log_of("recaption"),
    conda:
        environment_of("recaption")
    threads: cores("recaption")
    resources:
        **resources_of("recaption"),
    params:
        **recipe("recaption"),
        # One process loads the models once for many shards. The plan is known only when jobs start.
        in_turn=lambda w: TURNS.argument("recaption", "shard"),
    shell:
        command("recaption", in_turn=True)


rule caption_table:
    """One row per image: original and generated captions with their scores, all shards together."""
    input:
        images=manifest("image_index", "images"),
        download=manifests("download", SHARDS),
        recaption=manifests("recaption", SHARDS),
    output:
        **made("caption_table"),
    log:
        log_of("caption_table"),
    conda:
        environment_of("caption_table")
    resources:
        **resources_of("caption_table"),
    params:
        **recipe("caption_table"),
    shell:
        command("caption_table")


rule select_captions:
    """One caption per image for an arm, from the caption table, other arms or a file."""
    input:
        captions=manifest("caption_table", "captions"),
        external=lambda w: UNITS.manifest_if_source(OUT, f"captions-{w.arm}"),
        arms=lambda w: manifests("select_captions", UNITS.arms_read(w.arm)),
        scores=lambda w: score_paths(*scores_read(STUDY, w.arm)),
    output:
        **made("select_captions"),
    log:
        log_of("select_captions"),
    priority: 1  # a process that scores an arm also scores the arms that are there
    conda:
        environment_of("select_captions")
    resources:
        **resources_of("select_captions"),
    params:
        **recipe("select_captions"),
        scores=lambda w: score_pattern(*scores_read(STUDY, w.arm)),
    shell:
        command("select_captions", patterns=["scores"])


rule score_captions:
    """Scores of an arm's captions by a judge, for a block of shards."""
    input:
        captions=manifest("select_captions", "{arm}"),
        images=manifest("image_index", "images"),
        reference=lambda w: manifests("select_captions", judge_reference(UNITS.study, w.judge)),
        model=lambda w: UNITS.manifest_if_source(OUT, f"judge-{w.judge}"),
        text=lambda w: UNITS.manifest_if_source(OUT, f"judgetext-{w.judge}"),
        photos=lambda w: UNITS.manifest_if_source(OUT, f"judgephotos-{w.judge}"),
    output:
        **made("score_captions"),
    log:
        log_of("score_captions"),
    conda:
        environment_of("score_captions")
    threads: cores("score_captions")
    resources:
        **resources_of("score_captions"),
    params:
        **recipe("score_captions"),
        # Arms that judges choose are made later, and the captions that are there now may not be the final ones.
        also=lambda w: other_arms(OUT, [a for a in UNITS.arms if a not in LATE], f"{w.arm}.{w.judge}.{w.block}"),
    shell:
        command("score_captions", also=True)


rule judge_quality:
    """What a judge says of each arm, and whether it judges style."""
    input:
        scores=lambda w: score_paths(UNITS.arms, [w.judge]),
    output:
        **made("judge_quality"),
    log:
        log_of("judge_quality"),
    conda:
        environment_of("judge_quality")
    resources:
        **resources_of("judge_quality"),
    params:
        **recipe("judge_quality"),
    shell:
        command("judge_quality")


rule judge_comparison:
    """Whether the judges agree on which captions of an arm are better than the original ones."""
    input:
        scores=lambda w: score_paths([UNITS.reference_arm, w.arm], UNITS.judges),
    output:
        **made("judge_comparison"),
    log:
        log_of("judge_comparison"),
    conda:
        environment_of("judge_comparison")
    resources:
        **resources_of("judge_comparison"),
    params:
        **recipe("judge_comparison"),
        scores=lambda w: score_pattern([UNITS.reference_arm, w.arm], UNITS.judges),
    shell:
        command("judge_comparison", patterns=["scores"])


rule caption_quality:
    """Diagnostics of an arm's captions: per caption, as a summary, and as a figure."""
    input:
        captions=manifest("select_captions", "{arm}"),
        table=manifest("caption_table", "captions"),
        images=manifest("image_index", "images"),
        matcher=manifest("source", "matcher"),
        perplexity_model=UNITS.manifest_if_source(OUT, "perplexity_model"),
        tagger=UNITS.manifest_if_source(OUT, "tagger"),
        concreteness=UNITS.manifest_if_source(OUT, "concreteness"),
        objects=UNITS.manifest_if_source(OUT, "objects"),
        synonyms=UNITS.manifest_if_source(OUT, "synonyms"),
        truth=manifests("demo_world", UNITS.world),
    output:
        **made("caption_quality"),
    log:
        log_of("caption_quality"),
    conda:
        environment_of("caption_quality")
    threads: cores("caption_quality")
    resources:
        **resources_of("caption_quality"),
    params:
        **recipe("caption_quality"),
    shell:
        command("caption_quality")


rule caption_comparison:
    """Figures of the captions of all arms, and their differences to the original captions."""
    input:
        quality=manifests("caption_quality", UNITS.arms),
        captions=manifests("select_captions", UNITS.arms),
        vectors=UNITS.used_vectors(OUT, "embed_captions"),
    output:
        **made("caption_comparison"),
    log:
        log_of("caption_comparison"),
    conda:
        environment_of("caption_comparison")
    resources:
        **resources_of("caption_comparison"),
    params:
        **recipe("caption_comparison"),
    shell:
        command("caption_comparison")


rule caption_labels:
    """People's ratings of captions: agreement, ratings of arms, and the worth of the matcher's scores (ITM and ITC)."""
    input:
        labels=UNITS.manifest_if_source(OUT, "labels"),
        arms=manifests("select_captions", UNITS.arms),
    output:
        **made("caption_labels"),
    log:
        log_of("caption_labels"),
    conda:
        environment_of("caption_labels")
    resources:
        **resources_of("caption_labels"),
    params:
        **recipe("caption_labels"),
    shell:
        command("caption_labels")


rule judge_calibration:
    """How well a judge's scores agree with people's ratings, and the margin that agrees best with them."""
    input:
        ratings=manifests("caption_labels", UNITS.labels),
        scores=lambda w: score_paths(UNITS.arms, [w.judge]),
    output:
        **made("judge_calibration"),
    log:
        log_of("judge_calibration"),
    conda:
        environment_of("judge_calibration")
    resources:
        **resources_of("judge_calibration"),
    params:
        **recipe("judge_calibration"),
    shell:
        command("judge_calibration")
