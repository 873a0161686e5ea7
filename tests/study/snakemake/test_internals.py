"""The installed Snakemake has the internals that the project uses; each that is missing is named."""

import importlib
import inspect
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import snakemake.api

from workflow_scripts.core.digest import ROOT
from workflow_scripts.study.snakemake import startup
from workflow_scripts.study.terminal.failures import INTERRUPTION, failures
from workflow_scripts.study.terminal.handler import NON_ZERO, UNTOLD

# Attributes that the project uses, by the name of the object.
USED = {
    "workflow": (
        "_prepare_dag",
        "_build_dag",
        "dag",
        "dag_settings",
        "default_target",
        "dryrun",
        "execution_settings",
        "executor_plugin",
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
    "persistence": ("params_changed", "input_changed", "code_changed", "software_stack_changed", "input_checksums"),
    "job": ("rule", "wildcards_dict", "input", "output", "group", "reset_params_and_resources", "shellcmd"),
    "rule": ("name", "shellcmd"),
}
CLASSES = {
    "workflow": ("snakemake.workflow", "Workflow"),
    "dag": ("snakemake.dag", "DAG"),
    "persistence": ("snakemake.persistence.file", "FilePersistence"),
    "job": ("snakemake.jobs", "Job"),
    "rule": ("snakemake.rules", "Rule"),
}


def attributes(kind: type) -> set[str]:
    """Names of a class: what it and its bases define, and what their methods assign to ``self``."""
    names = set(dir(kind))
    for base in kind.__mro__[:-1]:
        names |= set(getattr(base, "__annotations__", ()))
        names |= set(re.findall(r"\bself\.(\w+)\b[^=\n]*=", inspect.getsource(base)))
    return names


@pytest.mark.parametrize("name", USED)
def test_snakemake_has_the_internals_that_are_used(name: str) -> None:
    module, kind = CLASSES[name]
    there = attributes(getattr(importlib.import_module(module), kind))
    missing = sorted(set(USED[name]) - there)
    assert not missing, f"Snakemake {snakemake.__version__}: {module}.{kind} has no {', '.join(missing)}"


def test_snakemake_reads_config_files_by_the_function_that_is_replaced() -> None:
    modules = [importlib.import_module(name) for name in startup.CONFIG_MODULES]
    missing = [one.__name__ for one in modules if not callable(getattr(one, startup.CONFIG_LOADER, None))]
    assert not missing, f"{startup.CONFIG_LOADER} is missing in {', '.join(missing)}"
    used = inspect.getsource(modules[0]).count(f"{startup.CONFIG_LOADER}(")
    assert used, f"{modules[0].__name__} does not call {startup.CONFIG_LOADER}"


def test_snakemake_logs_to_the_logger_whose_records_are_waited_for() -> None:
    from snakemake.logging import logger

    assert logger.name == startup.LOGGER


def test_the_rules_use_nothing_of_the_workflow_that_is_not_listed() -> None:
    texts = "".join(path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
    used = set(re.findall(r"\bworkflow\.(\w+)", texts))
    assert used <= set(USED["workflow"])


def test_failures_in_the_format_of_snakemake_are_parsed() -> None:
    """The log that Snakemake's own formatter writes for a failed job is understood."""
    from snakemake.logging import DefaultFormatter

    said: dict[str, Any] = {"rule_name": "pretrain", "jobid": 3, "msg": "it failed", "rule_msg": "it failed"}
    said |= {"input": [], "output": [], "log": ["results/s/logs/pretrain/x.log"], "conda_env": None, "shellcmd": None}
    lines = DefaultFormatter(quiet=set())._format_job_error({**said, "aux": {}})
    assert list(failures("\n".join(lines))) == ["error: it failed in results/s/logs/pretrain/x.log; read it"]


def test_snakemake_still_logs_the_messages_that_are_replaced() -> None:
    """One that is worded differently would be shown, and an interruption be called a failure."""
    folder = Path(snakemake.api.__file__).parent
    text = "".join(path.read_text() for path in folder.rglob("*.py"))
    text += "".join(path.read_text() for path in folder.with_name("snakemake_executor_plugin_slurm").glob("*.py"))
    raised = subprocess.CalledProcessError(1, "x")
    assert NON_ZERO in str(raised)
    missing = [words for words in (*UNTOLD, INTERRUPTION) if words.split("\n")[-1] not in text]
    assert not missing, f"Snakemake {snakemake.__version__} no longer says {', '.join(missing)}"
