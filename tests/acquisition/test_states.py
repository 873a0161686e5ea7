"""The documented states are the ones that there are."""

import re
from pathlib import Path

from workflow_scripts.acquisition.states import RETRYABLE, State

PAGE = Path(__file__).parents[2] / "docs" / "download.md"


def test_the_page_lists_each_state_once_and_whether_it_is_retried() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {state: again.strip() for state, again, _ in rows}
    assert len(rows) == len(listed) and set(listed) == {str(state) for state in State}
    assert {state for state, again in listed.items() if again == "yes"} == {str(state) for state in RETRYABLE}
