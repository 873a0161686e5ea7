"""What tests of stages share: settings, the calls that were made, and code without a digest."""

import pytest

from workflow_scripts.core.settings import Settings

CALLS: list[str] = []


class Doubling(Settings):
    """Settings of the stage below."""

    times: int = 2
    note: str = ""
    fail: bool = False


@pytest.fixture(autouse=True)
def digest_of_a_test_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage of this test is no file of the package."""
    monkeypatch.setattr("workflow_scripts.core.code_equivalence.code_digest", lambda *_: "today")
    monkeypatch.setattr("workflow_scripts.core.runtime.stage.code_parts", lambda *_: {"module": "parsed"})
    CALLS.clear()
