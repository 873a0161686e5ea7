# Table of scores, contrasts with intervals, the report, and the crate.


rule summary:
    """Every number of the study in one long table, and the named contrasts."""
    input:
        **inputs_of("summary"),
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
        command("summary")


rule discrimination:
    """How well saliency scores and accuracies tell the study's runs apart."""
    input:
        **inputs_of("discrimination"),
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
        command("discrimination")


rule report:
    """One self-contained page."""
    input:
        **inputs_of("report"),
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
        command("report")


rule crate:
    """The study as a Workflow Run RO-Crate, for sharing: `snakemake crate`."""
    input:
        report=manifest("report/index"),
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
