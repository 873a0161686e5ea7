"""Log records as Snakemake makes them, without Snakemake."""

import logging
from logging import LogRecord
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent


def record(event: LogEvent | None, text: str = "", level: int = logging.INFO, **known: Any) -> LogRecord:
    """A record of the event."""
    made = LogRecord("snakemake.logging", level, "workflow.py", 1, text, (), None)
    made.__dict__.update(known, **({"event": event} if event else {}))
    return made


def plan(**stages: int) -> LogRecord:
    """The numbers of jobs."""
    return record(LogEvent.RUN_INFO, "Job stats", stats={**stages, "total": sum(stages.values())})


def info(number: int, stage: str, unit: str, log: str = "") -> LogRecord:
    """A job starts."""
    output = [f"results/s/{stage}/{unit}.manifest.json", f"results/s/{stage}/{unit}.run.json"]
    known = {
        "jobid": number,
        "rule_name": stage,
        "output": output,
        "log": [log or f"results/s/logs/{stage}/{unit}.log"],
    }
    return record(LogEvent.JOB_INFO, f"rule {stage}:", **known)


def done(number: int) -> LogRecord:
    """A job is done."""
    return record(LogEvent.JOB_FINISHED, f"Finished jobid: {number}", job_id=number)


def error(number: int, stage: str, unit: str, message: str | None = None, *logs: str) -> LogRecord:
    """A job failed; ``logs`` are those of SLURM."""
    known = {"jobid": number, "rule_name": stage, "rule_msg": message, "output": []}
    own = f"results/s/logs/{stage}/{unit}.log"
    return record(LogEvent.JOB_ERROR, str(message), logging.ERROR, log=[own, *logs], **known)
