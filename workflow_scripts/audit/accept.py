"""Accept an edit of a stage's code, so that it recomputes nothing.

The current code then counts as the code that made the artifacts: finished artifacts, cache entries and unfinished
work stay as they are. Run records, audit, why and the report show it, with your reason.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.core.code_equivalence import accept, in_force
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.files.durable import sync_folder, write_atomic
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.names import WORK
from workflow_scripts.core.files.notes import is_intact, sealed
from workflow_scripts.core.runtime.machine import now
from workflow_scripts.provenance.lineage import recipe_of
from workflow_scripts.provenance.nodes import load

FETCHED = "format-"  # stages keyed by a format number: an edit of their code recomputes nothing


def check_request(results: Path, stages: Iterable[str], reason: str) -> None:
    """Check a request before anything is accepted.

    Raises:
        PipelineError: there is no such folder, ``reason`` is empty, or stages are unknown or keyed by a format number.
    """
    if not reason.strip():
        raise PipelineError("empty reason", "accept", reason.strip(), "say why the edit can't change results")
    errors = []
    for stage in stages:
        try:
            if (today := code_digest(stage)).startswith(FETCHED):
                advice = "its keys depend on a format number, not on code"
                errors.append(PipelineError("nothing to accept", stage, today, advice))
        except FileNotFoundError:
            errors.append(PipelineError("unknown stage", "accept", stage, "choose one of workflow_scripts/stages"))
    if errors:
        raise PipelineErrors(errors)
    if not results.is_dir():
        raise PipelineError("no results folder", results, "no such folder", "give it with --results")


def accept_code(results: Path, stage: str, reason: str, code: str) -> list[str]:
    """Let the current code of ``stage`` count as the code behind its artifacts; returns messages.

    Args:
        code: the first characters of that code's digest; may be empty if one version of the code made all of them and
            the current code has not been accepted yet.

    Raises:
        PipelineError: nothing to accept, several codes to choose from, or an acceptance that would be replaced.
    """
    today = code_digest(stage)
    nodes = [node for node in load(results) if node.stage == stage and node.record is not None]
    made = Counter(str((node.record or {}).get("code")) for node in nodes)
    recipes = [recipe_of(work) for work in (results / WORK / stage).glob("*")]  # of unfinished artifacts
    started = Counter(str(recipe.get("code")) for recipe in recipes if recipe)
    chosen = _choose(stage, made + started, today, in_force(stage, results), code)
    mine = [node for node in nodes if (node.record or {}).get("code") == chosen]
    for node in mine:
        if not is_intact(node.record or {}):  # it must not get a valid digest
            value = "it does not match its digest"
            raise PipelineError("edited run record", node.record_path, value, "see faithful-pairs audit")
    entry = {"stage": stage, "code": today, "counts_as": chosen, "reason": reason, "when": now()}
    for node in mine:
        write_atomic(node.record_path, pretty(sealed({**(node.record or {}), "accepted": entry})))
    for folder in sorted({node.record_path.parent for node in mine}):
        sync_folder(folder)
    accept(results, entry)  # last: killed before, the edit is not accepted, and can be
    return [
        f"{stage}: code {today[:12]} now counts as {chosen[:12]}",
        f"{len(mine)} artifacts and {started[chosen]} unfinished ones stay as they are",
        "the next run recomputes the report, which shows it",
    ]


def edited_stages(results: Path, stages: Iterable[str]) -> list[str]:
    """Those of ``stages`` that have artifacts of other code.

    A stage whose current code was accepted already is left out: artifacts of a third code are recomputed by choice.
    """
    made = {(node.stage, node.record.get("code")) for node in load(results) if node.record is not None}
    today = {stage: code for stage in stages if not (code := code_digest(stage)).startswith(FETCHED)}
    edited = {stage for stage, code in made if stage in today and code != today[stage]}
    return [stage for stage in today if stage in edited and in_force(stage, results) is None]


def _choose(stage: str, made: Counter[str], today: str, entry: dict[str, str] | None, wanted: str) -> str:
    """The code that the current one shall count as; ``entry`` is the acceptance in force."""
    counted = today if entry is None else entry["counts_as"]
    others = {code: count for code, count in made.items() if code not in (today, counted)}
    found = [code for code in others if code.startswith(wanted)]
    if len(found) == 1 and (wanted or entry is None):
        return found[0]
    shown = ", ".join(f"{code[:12]} ({others[code]} artifacts)" for code in sorted(others))
    if not others:
        value = f"{made.total()} artifacts, all made by the current code"
        raise PipelineError("nothing to accept", stage, value, "nothing needs to be recomputed")
    if entry is not None and not wanted:
        shown += f"; the current code already counts as {counted[:12]}"
    raise PipelineError("no single code to count as", stage, shown, "choose one with --code; others are recomputed")
