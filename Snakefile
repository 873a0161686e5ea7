# Entry point: from captions to pairs, from pairs to pretrained networks, from networks to a report.
from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


include: "rules/common.smk"


rule all:
    """The report and everything that it needs, stages that declare `in_all`, and the crate with `crate.in_all`."""
    input:
        UNITS.requested(OUT),
        CRATE if STUDY.crate.in_all else [],


include: "rules/sources.smk"
include: "rules/acquisition.smk"
include: "rules/captions.smk"
include: "rules/pairs.smk"
include: "rules/pretraining.smk"
include: "rules/evaluation.smk"
include: "rules/reporting.smk"
