"""Each diff of docs/extending.md, applied to a copy of the project and run there."""

from pathlib import Path

import pytest

from tests.extending.page import DIFFS, copy_project, python, touched
from tests.forkserver.environment import ForkServers

FILES = {"dataset": 1, "backbone": 1, "method": 1, "arm": 1, "judge": 1, "score": 1, "stage": 2}


def test_the_page_has_an_example_of_each_extension() -> None:
    assert {name: len(touched(diff)) for name, diff in DIFFS.items()} == FILES


@pytest.mark.parametrize("name", FILES)
def test_each_documented_extension_works(name: str, open_folder: Path, servers: ForkServers) -> None:
    copy = copy_project(open_folder / "copy", DIFFS[name])
    ran = python(servers, copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/extending/check_{name}.py")
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
