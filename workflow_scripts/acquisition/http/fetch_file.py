"""Fetches one large file by URL: resumes an earlier attempt and accepts only the right sha256, or finds the sha256."""

import hashlib
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import HIDDEN, VARIABLE, redacted

log = logging.getLogger(__name__)
BLOCK = 1 << 20
T = TypeVar("T")
TIMEOUT = 60.0  # seconds without a byte


def fetch_file(urls: Sequence[str], sha256: str, part: Path, target: Path) -> None:
    """Write the file to ``target``; ``part`` keeps what was received so far and may exist from an earlier attempt.

    Args:
        urls: URLs of the same bytes, tried in order; ``${NAME}`` in one is replaced by an environment variable.

    Raises:
        PipelineError: no URL gave bytes with that hash (the error of each is listed), or a variable is not set.
    """

    def receive(url: str) -> None:
        _resume(url, part)
        if (found := file_hash(part)) != sha256:
            part.unlink()
            raise ValueError(f"sha256 is {found}")

    _from_first(urls, receive, target.name, f"expected sha256 {sha256}")
    part.replace(target)


def fetch_sha256(urls: Sequence[str]) -> str:
    """sha256 of the file at the first URL that answers with all of its bytes, which are not kept.

    Args:
        urls: see :func:`fetch_file`.

    Raises:
        PipelineError: no URL answers (the error of each is listed), or a variable is not set.
    """

    def receive(url: str) -> str:
        found = hashlib.sha256()
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            _receive(answer, found.update)
        return found.hexdigest()

    return _from_first(urls, receive, redacted(urls[0]), "check the URL and the network")


def _from_first(urls: Sequence[str], receive: Callable[[str], T], where: str, advice: str) -> T:
    """What ``receive`` gives for the first URL for which it does not fail."""
    faults = []
    for url in urls:
        try:
            return receive(_with_variables(url))
        except (OSError, HTTPException, ValueError) as error:
            faults.append(f"{redacted(url)}: {_without_variables(str(error), url)}")
            log.warning("%s", faults[-1])
    raise PipelineError("cannot fetch file", where, " | ".join(faults), advice)


def _with_variables(url: str) -> str:
    missing = [name for name in VARIABLE.findall(url) if not os.environ.get(name)]
    if missing:
        advice = "set it in the environment in which Snakemake runs"
        raise PipelineError("environment variable not set", redacted(url), missing[0], advice)
    return VARIABLE.sub(lambda found: os.environ[found[1]], url)


def _without_variables(text: str, url: str) -> str:
    for name in VARIABLE.findall(url):
        text = text.replace(os.environ[name], HIDDEN)
    return text


def _resume(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            mode = "ab" if have and answer.status == HTTPStatus.PARTIAL_CONTENT else "wb"
            with open(part, mode) as stream:
                _receive(answer, stream.write)
    except urllib.error.HTTPError as error:
        # The file on disk is already complete; its hash decides.
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise


def _receive(answer: HTTPResponse, write: Callable[[bytes], object]) -> None:
    """Pass on all bytes of an answer; OSError if it ends early."""
    got = 0
    while block := answer.read(BLOCK):
        write(block)
        got += len(block)
    announced = answer.headers.get("Content-Length")
    if announced is not None and got != int(announced):
        raise OSError(f"the response ended after {got} of {announced} bytes")
