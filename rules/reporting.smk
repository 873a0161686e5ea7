# Named contrasts with intervals, and the page.
EVALUATED = f"{braces(UNITS.checkpoints)}.{braces(UNITS.datasets)}"
ALL_SHARDS = f"{{{SHARDS[0]}..{SHARDS[-1]}}}"
SCORES = {
    "probe": f"linear_probe/{EVALUATED}",
    "few_shot": f"few_shot/{EVALUATED}",
    "saliency": f"saliency/{braces(UNITS.checkpoints)}.{braces(UNITS.mask_datasets)}",
}


rule summary:
    """Every number of the study in one long table, and the named contrasts."""
    input:
        probe=manifests("linear_probe", UNITS.evaluations),
        few_shot=manifests("few_shot", UNITS.evaluations),
        saliency=manifests("saliency", UNITS.mask_evaluations),
    output:
        **made("summary", "summary"),
    log:
        log_of("summary", "summary"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(16_000),
        runtime=more(60),
    params:
        **recipe("summary"),
    shell:
        command("summary", lists=SCORES)


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
        probe=manifests("linear_probe", UNITS.evaluations),
        few_shot=manifests("few_shot", UNITS.evaluations),
        saliency=manifests("saliency", UNITS.mask_evaluations),
        summary=manifest("summary", "summary"),
        # What follows is read for the root hash over the whole study alone.
        source=manifests("source", UNITS.used_sources),
        world=manifests("demo_world", UNITS.world),
        download=manifests("download", SHARDS),
        recaption=manifests("recaption", SHARDS),
        vectors=UNITS.used_vectors(OUT),
        features=manifests("features", UNITS.evaluations),
    output:
        **made("report", "index"),
    log:
        log_of("report", "index"),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=by_rows(8_000),
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
            "summary",
            "source",
            "world",
            "vectors",
            lists={
                **SCORES,
                "download": f"download/{ALL_SHARDS}",
                "recaption": f"recaption/{ALL_SHARDS}",
                "features": f"features/{EVALUATED}",
            },
        )


rule crate:
    """The study as a Workflow Run RO-Crate, to be given away: `snakemake crate`."""
    input:
        report=manifest("report", "index"),
    output:
        CRATE,
    log:
        log_of("crate", "crate"),
    localrule: True  # reads manifests and run records, copies small files
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=2_000,
        runtime=30,
    params:
        **recipe("crate"),
        code=lambda wildcards: counted_code("crate", Path(RESULTS)),  # no run record says it
    shell:
        "python -m workflow_scripts.stages.crate --out {output:q} --settings {params.settings:q} > {log:q} 2>&1"
