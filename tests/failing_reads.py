"""Reads that fail as they do when a file server restarts."""

import os
from typing import Any

import pytest


def failing_reads(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Let the next ``os.pread`` calls fail with the error ``number``; how many, is the one value of the list."""
    real, left = os.pread, [0]

    def read(*args: Any) -> bytes:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(number, os.strerror(number))
        return real(*args)

    monkeypatch.setattr(os, "pread", read)
    return left
