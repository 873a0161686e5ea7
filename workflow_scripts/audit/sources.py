"""Checks external sources (the annotation zip, models, downstream datasets) against their recorded hashes."""

import hashlib
import json
import os
from pathlib import Path

from workflow_scripts.audit.files import Claim
from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_bytes
from workflow_scripts.core.sources import LISTING, MOST_LISTED, files_of, local_path
from workflow_scripts.provenance.nodes import Node

DATA = ".data"


def source_claims(node: Node) -> tuple[list[Claim], list[Finding]]:
    """What is recorded about the files behind a ``source`` artifact, and files added since it was made.

    Unlike in the stages, cached hashes are not trusted, so an edit that restores size and time is found. A source that
    holds its own bytes (fetched by URL) has no files outside.
    """
    if DATA in node.files:
        return [], []
    try:
        listing = read_bytes(node.file(LISTING), MOST_LISTED)
    except (OSError, Unfit):
        return [], []  # a listing that is missing or damaged is named itself
    if hashlib.sha256(listing).hexdigest() != node.files.get(LISTING, {}).get("sha256"):
        return [], []
    wanted = str((node.record or {}).get("settings", {}).get("at"))
    path = _here(wanted)
    if path is None:
        return [], [finding(Kind.NOT_HERE, node.path, f"{wanted} is not on this machine")]
    then = _recorded(listing)
    if then is None:
        return [], [finding(Kind.BROKEN_MANIFEST, node.file(LISTING), "it lists no files", node.path)]
    claims = [
        Claim(node, "", path / name if name else path, sha, size, Kind.CHANGED_SOURCE) for name, sha, size in then
    ]
    try:
        today = {name for name, _ in files_of(path)}
    except PipelineError as error:  # a FIFO in its place, say, or links that lead back to it
        return claims, [finding(Kind.UNREADABLE, path, f"{error.what}: {error.value}")]
    more = sorted(today - {name for name, _, _ in then})
    return claims, [
        finding(Kind.CHANGED_SOURCE, path / name, "not there when it was hashed", node.path) for name in more
    ]


def _recorded(listing: bytes) -> list[tuple[str, str, int]] | None:
    try:
        return [(str(row["path"]), str(row["sha256"]), int(row["bytes"])) for row in json.loads(listing)]
    except (ValueError, TypeError, KeyError):
        return None


def _here(wanted: str) -> Path | None:
    """Where it lies, from the working directory or from the code's folder; None when it is not on this machine."""
    try:
        path = local_path(wanted, may_fetch=False)
    except PipelineError:
        return None
    return next((place for place in (path, ROOT / path) if os.path.exists(place)), None)
