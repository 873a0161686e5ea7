# Networks from pairs.


rule pretrain:
    """One run: method x pairs x augmentation x backbone x seed."""
    input:
        images=manifest("image_index", "images"),
        pairs=lambda w: UNITS.run_pairs(OUT, w.run),
        captions=lambda w: UNITS.run_captions(OUT, w.run),
        probe=lambda w: UNITS.run_probe(OUT, w.run),
    output:
        **made("pretrain", "{run}"),
    log:
        log_of("pretrain", "{run}"),
    conda:
        "../envs/train.yaml"
    threads: WORKERS
    resources:
        gpu=lambda w: UNITS.run_gpus(w.run),
        mem_mb=64_000 if GPUS else 4_000,
        runtime=2_880,
    params:
        **recipe("pretrain"),
    shell:
        command("pretrain", "images", "pairs", "captions", "probe", wildcards=["run"], gpu=True)
