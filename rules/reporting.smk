# Named contrasts with intervals, and the page.
CHECKPOINTS = UNITS.checkpoints


rule summary:
    """Every number of the study in one long table, and the named contrasts."""
    input:
        probe=manifests("linear_probe", CHECKPOINTS),
        few_shot=manifests("few_shot", CHECKPOINTS),
        saliency=manifests("saliency", UNITS.saliency_checkpoints),
    output:
        **made("summary", "summary"),
    log:
        log_of("summary", "summary"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=more(16_000),
        runtime=more(60),
    params:
        **recipe("summary"),
    shell:
        command("summary", "probe", "few_shot", "saliency")


rule report:
    """One self-contained page."""
    input:
        annotations=manifest("annotations", "rows"),
        plan=manifest("shard_plan", "plan"),
        data_card=manifest("data_card", "data_card"),
        images=manifest("image_index", "images"),
        captions_table=manifest("caption_table", "captions"),
        arms=manifests("select_captions", UNITS.arms),
        caption_quality=manifests("caption_quality", UNITS.arms),
        pairs=manifests("pair_table", UNITS.pairs),
        pair_quality=manifests("pair_quality", UNITS.pairs),
        runs=manifests("pretrain", UNITS.runs),
        datasets=manifests("eval_dataset", UNITS.datasets),
        probe=manifests("linear_probe", CHECKPOINTS),
        few_shot=manifests("few_shot", CHECKPOINTS),
        saliency=manifests("saliency", UNITS.saliency_checkpoints),
        summary=manifest("summary", "summary"),
    output:
        **made("report", "index"),
    log:
        log_of("report", "index"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=more(8_000),
        runtime=more(60),
    params:
        **recipe("report"),
    shell:
        command(
            "report",
            "annotations",
            "plan",
            "data_card",
            "images",
            "captions_table",
            "arms",
            "caption_quality",
            "pairs",
            "pair_quality",
            "runs",
            "datasets",
            "probe",
            "few_shot",
            "saliency",
            "summary",
        )
