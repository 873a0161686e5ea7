"""Fixtures that the tests of stages share."""

import pytest

from tests.stages.captioned import Captioned, captioned


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Captioned:
    """Nine pictures downloaded, captioned and scored."""
    return captioned(tmp_path_factory.mktemp("captioned"))
