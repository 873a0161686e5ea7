# Table of scores, contrasts with intervals, the report, and the crate.
EVALUATED = f"{braces(UNITS.checkpoints)}.{braces(UNITS.reported)}"
ALL_SHARDS = f"{{{SHARDS[0]}..{SHARDS[-1]}}}"
SCORES = {
    "probe": f"linear_probe/{EVALUATED}",
    "few_shot": f"few_shot/{EVALUATED}",
    "knn": f"knn/{EVALUATED}",
    "saliency": f"saliency/{braces(UNITS.checkpoints)}.{braces(UNITS.mask_datasets)}",
}


rule summary:
    """Every number of the study in one long table, and the named contrasts."""
    input:
        runs=manifests("pretrain", UNITS.runs),
        probe=manifests("linear_probe", UNITS.evaluations),
        few_shot=manifests("few_shot", UNITS.evaluations),
        knn=manifests("knn", UNITS.evaluations),
        saliency=manifests("saliency", UNITS.mask_evaluations),
        leakage=manifests("leakage", UNITS.leak_checked),
    output:
        **made("summary"),
    log:
        log_of("summary"),
    conda:
        environment_of("summary")
    resources:
        **resources_of("summary"),
    params:
        **recipe("summary"),
    shell:
        command("summary", lists=SCORES)


rule discrimination:
    """How well saliency scores and accuracies tell the study's runs apart."""
    input:
        summary=manifest("summary", "summary"),
        probe=manifests("linear_probe", UNITS.evaluations),
        knn=manifests("knn", UNITS.evaluations),
        saliency=manifests("saliency", UNITS.mask_evaluations),
    output:
        **made("discrimination"),
    log:
        log_of("discrimination"),
    conda:
        environment_of("discrimination")
    resources:
        **resources_of("discrimination"),
    params:
        **recipe("discrimination"),
    shell:
        command("discrimination", lists=SCORES)


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
        caption_comparison=manifests("caption_comparison", ["arms"]),
        judge_quality=manifests("judge_quality", UNITS.judges),
        judge_comparison=manifests("judge_comparison", UNITS.compared_arms),
        caption_labels=manifests("caption_labels", UNITS.labels),
        judge_calibration=manifests("judge_calibration", UNITS.calibrated_judges),
        pairs=manifests("pair_table", UNITS.pairs),
        pair_quality=manifests("pair_quality", UNITS.pairs),
        common=manifests("common_images", UNITS.common),
        runs=manifests("pretrain", UNITS.runs),
        datasets=manifests("eval_dataset", UNITS.datasets),
        probe=manifests("linear_probe", UNITS.evaluations),
        few_shot=manifests("few_shot", UNITS.evaluations),
        knn=manifests("knn", UNITS.evaluations),
        saliency=manifests("saliency", UNITS.mask_evaluations),
        saliency_checks=manifests("saliency_checks", UNITS.saliency_checks),
        leakage=manifests("leakage", UNITS.leak_checked),
        summary=manifest("summary", "summary"),
        discrimination=manifests("discrimination", UNITS.discriminated),
        # The inputs below are read only for the root hash of the study.
        source=manifests("source", UNITS.needed("source")),
        world=manifests("demo_world", UNITS.world),
        download=manifests("download", SHARDS),
        recaption=manifests("recaption", SHARDS),
        vectors=[
            *UNITS.used_vectors(OUT),
            *manifests("embed_tests", UNITS.vector_matches),
            *manifests("vector_matches", UNITS.vector_matches),
        ],
        eval_images=manifests("eval_images", UNITS.eval_images),
        tokens=[*manifests("tokenizer", UNITS.tokenizers), *manifests("tokens", UNITS.tokenised)],
        features=manifests("features", UNITS.evaluations),
        scores=manifests("score_captions", UNITS.scores),
        hashes=manifests("image_hashes", UNITS.hashed_blocks),
    output:
        **made("report"),
    log:
        log_of("report"),
    conda:
        environment_of("report")
    resources:
        **resources_of("report"),
    params:
        **recipe("report"),
    shell:
        command(
            "report",
            lists={
                **SCORES,
                "download": f"download/{ALL_SHARDS}",
                "recaption": f"recaption/{ALL_SHARDS}",
                "features": f"features/{EVALUATED}",
                "scores": score_pattern(UNITS.arms, UNITS.judges),
            },
        )


rule crate:
    """The study as a Workflow Run RO-Crate, for sharing: `snakemake crate`."""
    input:
        report=manifest("report", "index"),
    output:
        CRATE,
    log:
        str(log_of_artifact(Path(OUT, "crate", "crate"))),
    localrule: facts("crate").resources.local
    conda:
        environment_of("crate")
    resources:
        **resources_of("crate"),
    params:
        **recipe("crate"),
        code=lambda wildcards: counted_code("crate", Path(RESULTS)),  # the crate has no run record
    shell:
        "python -m workflow_scripts.stages.crate --out {output:q} --settings {params.settings:q} > {log:q} 2>&1"
