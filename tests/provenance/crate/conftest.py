import shutil
from pathlib import Path

import pytest

from tests.provenance.crate.graphs import PUBLISHED, real_bytes
from tests.provenance.hand_made import whole_study
from workflow_scripts.provenance.crate.write import write_crate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its crate. Never change it."""
    study = whole_study(tmp_path_factory.mktemp("crate") / "results")
    real_bytes(study)
    write_crate(study, "by request", 1.0, PUBLISHED)
    return study


@pytest.fixture
def crate(made: Path, tmp_path: Path) -> Path:
    """A crate away from its study, to be damaged."""
    return shutil.copytree(made / "crate", tmp_path / "crate")
