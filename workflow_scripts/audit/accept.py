"""Accept an edit of a stage's code, so that it recomputes nothing.

The current code then counts as the code that made the artifacts: finished artifacts, cache entries and unfinished
work stay as they are. Run records, audit, why and the report show it, with your reason.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from workflow_scripts.core.code_equivalence import accept, in_force
from workflow_scripts.core.digest import Uses, code_digest, uses_of
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.files.durable import sync_folder, write_atomic
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.names import WORK
from workflow_scripts.core.files.notes import is_intact, sealed
from workflow_scripts.core.runtime.machine import now
from workflow_scripts.provenance.lineage import recipe_of
from workflow_scripts.provenance.nodes import Node, load
from workflow_scripts.study.config.stages import declaration

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


class _Alike(NamedTuple):
    """The artifacts of a stage that use the same entries of registries, and so have the same code today.

    Attributes:
        today: digest of their current code.
        entry: the acceptance in force.
        nodes: the finished ones.
        started: how many unfinished ones each code made.
    """

    today: str
    entry: dict[str, str] | None
    nodes: list[Node]
    started: Counter[str]

    @property
    def counted(self) -> str:
        """What the current code counts as."""
        return self.today if self.entry is None else self.entry["counts_as"]

    @property
    def others(self) -> Counter[str]:
        """How many artifacts each other code made."""
        made = self.started + Counter(str((node.record or {}).get("code")) for node in self.nodes)
        return Counter({code: count for code, count in made.items() if code not in (self.today, self.counted)})

    def found(self, wanted: str) -> list[str]:
        """The codes that the current one can count as; an acceptance in force is replaced only by a named code."""
        return [code for code in self.others if code.startswith(wanted) and (wanted or self.entry is None)]


def accept_code(results: Path, stage: str, reason: str, code: str) -> list[str]:
    """Let the current code of ``stage`` count as the code behind its artifacts; returns messages.

    Args:
        code: the first characters of that code's digest; may be empty if one version of the code made all artifacts
            that use the same entries of registries, and the current code has not been accepted yet.

    Raises:
        PipelineError: nothing to accept, several codes to choose from, or an acceptance that would be replaced.
    """
    messages = []
    for alike, chosen in _chosen(stage, _alike(results, stage), code):
        mine = [node for node in alike.nodes if (node.record or {}).get("code") == chosen]
        for node in mine:
            if not is_intact(node.record or {}):  # it must not get a valid digest
                value = "it does not match its digest"
                raise PipelineError("edited run record", node.record_path, value, "see faithful-pairs audit")
        entry = {"stage": stage, "code": alike.today, "counts_as": chosen, "reason": reason, "when": now()}
        for node in mine:
            write_atomic(node.record_path, pretty(sealed({**(node.record or {}), "accepted": entry})))
        for folder in sorted({node.record_path.parent for node in mine}):
            sync_folder(folder)
        accept(results, entry)  # last: killed before, the edit is not accepted, and can be
        messages += [
            f"{stage}: code {alike.today[:12]} now counts as {chosen[:12]}",
            f"{len(mine)} artifacts and {alike.started[chosen]} unfinished ones stay as they are",
        ]
    return [*messages, "the next run recomputes the report, which shows it"]


def edited_stages(results: Path, stages: Iterable[str]) -> list[str]:
    """Those of ``stages`` that have finished artifacts of other code.

    Artifacts whose current code was accepted already are left out: those of a third code are recomputed by choice.
    """
    found = [stage for stage in stages if not code_digest(stage).startswith(FETCHED)]
    return [
        stage
        for stage in found
        if any(alike.nodes and alike.others - alike.started and alike.found("") for alike in _alike(results, stage))
    ]


def _alike(results: Path, stage: str) -> list[_Alike]:
    nodes: dict[Uses, list[Node]] = {}
    started: dict[Uses, Counter[str]] = {}
    for node in load(results):
        if node.stage == stage and node.record is not None:
            nodes.setdefault(_uses(stage, node.record), []).append(node)
    for work in (results / WORK / stage).glob("*"):
        if recipe := recipe_of(work):
            started.setdefault(_uses(stage, recipe), Counter())[str(recipe.get("code"))] += 1
    return [
        _Alike(
            code_digest(stage, uses), in_force(stage, results, uses), nodes.get(uses, []), started.get(uses, Counter())
        )
        for uses in sorted(nodes.keys() | started.keys())
    ]


def _uses(stage: str, recipe: Mapping[str, Any]) -> Uses:
    """The entries of registries behind an artifact; versions that did not record them made it by its settings alone."""
    if "uses" in recipe:
        return uses_of(recipe["uses"])
    declared = declaration(stage)
    try:
        return () if declared is None else declared.uses(recipe["settings"])
    except (ValidationError, KeyError):
        return ()  # settings that are no longer there


def _chosen(stage: str, groups: list[_Alike], wanted: str) -> list[tuple[_Alike, str]]:
    """What the current code of each group shall count as, of groups with artifacts of another code."""
    found = [(group, codes) for group in groups if (codes := group.found(wanted))]
    if found and all(len(codes) == 1 for _, codes in found):
        return [(group, codes[0]) for group, codes in found]
    others, accepted = sum((group.others for group in groups), Counter[str]()), [one for one in groups if one.entry]
    if not others:
        count = sum(len(group.nodes) + group.started.total() for group in groups)
        value = f"{count} artifacts, all made by the current code"
        raise PipelineError("nothing to accept", stage, value, "nothing needs to be recomputed")
    shown = ", ".join(f"{code[:12]} ({others[code]} artifacts)" for code in sorted(others))
    if accepted and not wanted:
        shown += f"; the current code already counts as {', '.join(sorted({one.counted[:12] for one in accepted}))}"
    raise PipelineError("no single code to count as", stage, shown, "choose one with --code; others are recomputed")
