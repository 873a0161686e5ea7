# Table of contents: captions of RedCaps to pairs, pairs to pretrained networks, networks to a report.
from snakemake.utils import min_version

min_version("9.20")


configfile: "config.yaml"


include: "rules/common.smk"


rule all:
    """The report, and with it everything that the study asks for."""
    input:
        manifest("report", "index"),
        CRATE if STUDY.crate.in_all else [],


include: "rules/sources.smk"
include: "rules/acquisition.smk"
include: "rules/captions.smk"
include: "rules/pairs.smk"
include: "rules/pretraining.smk"
include: "rules/evaluation.smk"
include: "rules/reporting.smk"
