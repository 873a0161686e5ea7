# Generated captions, their scores, the arms of the study, and diagnostics.


rule recaption:
    """Generated caption(s) of every image of a shard; ITM and ITC of the original and of each generated caption."""
    input:
        **inputs_of("recaption"),
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
        command("recaption", "--in-turn {params.in_turn:q}")


rule caption_table:
    """One row per image: original and generated captions with their scores, all shards together."""
    input:
        **inputs_of("caption_table"),
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
        **inputs_of("select_captions"),
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
    shell:
        command("select_captions")


rule score_captions:
    """Scores of an arm's captions by a judge, for a block of shards."""
    input:
        **inputs_of("score_captions"),
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
        command("score_captions", "{params.also:q}")


rule judge_quality:
    """What a judge says of each arm, and whether it judges style."""
    input:
        **inputs_of("judge_quality"),
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
        **inputs_of("judge_comparison"),
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
    shell:
        command("judge_comparison")


rule caption_quality:
    """Diagnostics of an arm's captions: per caption, as a summary, and as a figure."""
    input:
        **inputs_of("caption_quality"),
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
        **inputs_of("caption_comparison"),
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
        **inputs_of("caption_labels"),
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
