"""Snakemake's internals that the project uses; only this folder and the rules use any.

``tests/study/snakemake/test_internals.py`` reports what a new Snakemake lacks, and :func:`require` stops a run if
anything is missing, since a wrong plan would look right.
"""

import sys
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError

# Attributes that are used, by the name of the object. Those of the settings are read in rules/common.smk too.
USED = {
    "workflow": (
        "_prepare_dag",
        "_build_dag",
        "dag",
        "dag_settings",
        "default_target",
        "dryrun",
        "execution_settings",
        "persistence",
        "rerun_triggers",
        "basedir",
        "config_settings",
        "deployment_settings",
        "is_main_process",
        "local_exec",
        "output_settings",
        "overwrite_configfiles",
        "resource_settings",
        "touch",
    ),
    "dag": (
        "check_incomplete",
        "postprocess",
        "toposorted",
        "needrun_jobs",
        "bfs",
        "dependencies",
        "depending",
        "targetjobs",
        "forcefiles",
        "untilrules",
        "untilfiles",
        "until_jobs",
        "in_until",
        "omitrules",
        "omitfiles",
        "omitfrom_jobs",
        "_group",
        "_check_groups",
        "_update_group_components",
        "_ready",
        "_n_until_ready",
        "jobs",
        "validate_group",
    ),
    "persistence": (
        "params_changed",
        "input_changed",
        "code_changed",
        "software_stack_changed",
        "input_checksums",
    ),
    "job": ("rule", "wildcards_dict", "input", "output", "group", "reset_params_and_resources", "shellcmd"),
    "rule": ("name", "shellcmd"),
}
CACHE_OPTION = "--runtime-source-cache-path"  # overrides cache_folder
LOGGER = "snakemake.logging"  # its handlers pass records to our display
CONFIG_LOADER = "load_configfile"
CONFIG_MODULES = ("snakemake.settings.types", "snakemake.common.configfile")  # modules that import it by that name


def cache_folder() -> Path:
    """Snakemake's default folder for copies of rules."""
    from snakemake.common import get_appdirs

    return Path(get_appdirs().user_cache_dir) / "snakemake/source-cache"


def require(name: str, there: Any) -> None:
    """Stop if an object of this Snakemake lacks an attribute that is used.

    Raises:
        SystemExit: with status 1.
    """
    present = set(dir(there))
    missing = [used for used in USED[name] if used not in present]
    if missing:
        advice = "install the version of Snakemake in constraints.txt"
        error = PipelineError("unsupported Snakemake version", name, f"it has no {', '.join(missing)}", advice)
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1)
