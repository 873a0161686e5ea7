"""Fixtures that the tests of stages share."""

import pytest

from tests.stages.captioned import Captioned, captioned
from tests.stages.evaluation_chain import Chain, make_chain


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Captioned:
    """Nine pictures downloaded, captioned and scored."""
    return captioned(tmp_path_factory.mktemp("captioned"))


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Two small downstream sets with features and probes of one network; tests only add artifacts to it."""
    return make_chain(tmp_path_factory.mktemp("chain") / "results")
