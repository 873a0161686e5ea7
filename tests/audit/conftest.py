from pathlib import Path

import pytest

from tests.provenance.chain import Chain, finished


@pytest.fixture
def chain(results: Path, tmp_path: Path) -> Chain:
    """A finished study of this test's own."""
    return finished(results, tmp_path / "outside")
