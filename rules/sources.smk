# External inputs (files, folders, models), and the synthetic data of the demo.


rule source:
    """Content of an external input; hashed again only when size, time or inode of a file changed."""
    output:
        **made("source"),
    log:
        log_of("source"),
    localrule: facts("source").resources.local
    conda:
        environment_of("source")
    resources:
        **resources_of("source"),
    params:
        **recipe("source"),
    shell:
        command("source")


if STUDY.demo_world is not None:

    rule demo_world:
        """A small synthetic dataset: images, captions like Reddit titles, probe sets, masks."""
        output:
            **made("demo_world"),
        log:
            log_of("demo_world"),
        conda:
            environment_of("demo_world")
        resources:
            **resources_of("demo_world"),
        params:
            **recipe("demo_world"),
        shell:
            command("demo_world")
