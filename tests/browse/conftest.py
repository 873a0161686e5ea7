"""The small study and its index."""

from pathlib import Path

import pytest

from tests.browse.small_study import study_of
from workflow_scripts.browse.build import index_of, sources_of
from workflow_scripts.browse.index import Index


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine images; tests do not change it."""
    return study_of(tmp_path_factory.mktemp("browse"))


@pytest.fixture(scope="session")
def index(study: Path) -> Index:
    """Its index."""
    return Index(index_of(sources_of(study)))
