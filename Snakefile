# Entry point: from captions to pairs, from pairs to pretrained networks, from networks to a report.
import sys

from snakemake.utils import min_version

min_version("9.20")
sys.path.insert(0, workflow.basedir)

from workflow_scripts.study.snakemake.startup import check_working_folder

check_working_folder(workflow.basedir)


# The image of --sdm apptainer, built from envs/faithful-pairs.def; other runs do not need it.
container: "envs/faithful-pairs.sif"


configfile: "config.yaml"


include: "rules/common.smk"


rule all:
    """The report and everything that it needs, stages that declare `in_all`, and the crate with `crate.in_all`."""
    input:
        [manifest(label) for label in UNITS.in_all()],
        CRATE if STUDY.crate.in_all else [],


include: "rules/sources.smk"
include: "rules/acquisition.smk"
include: "rules/captions.smk"
include: "rules/pairs.smk"
include: "rules/pretraining.smk"
include: "rules/evaluation.smk"
include: "rules/reporting.smk"
