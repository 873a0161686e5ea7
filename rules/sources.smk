# Things from outside: the demo's own world, and files, folders and models that the study names.


rule source:
    """Content of an external thing; hashed again only when size, time or inode of a file changed."""
    output:
        **made("source", "{source}"),
    log:
        log_of("source", "{source}"),
    localrule: True  # compute nodes often have no network; models and sets are fetched where Snakemake runs
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=more(2_000),
        runtime=more(240),
    params:
        **recipe("source"),
    shell:
        command("source", wildcards=["source"])


if STUDY.demo_world is not None:

    rule demo_world:
        """A small procedural world: images, captions like Reddit titles, probe sets, masks."""
        output:
            **made("demo_world", "world"),
        log:
            log_of("demo_world", "world"),
        conda:
            "../envs/core.yaml"
        resources:
            mem_mb=more(2_000),
            runtime=more(30),
        params:
            **recipe("demo_world"),
        shell:
            command("demo_world")
