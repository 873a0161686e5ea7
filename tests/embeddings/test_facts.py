"""What searches request depends on the build of FAISS."""

import pytest

from workflow_scripts.core.declaration.facts import Load
from workflow_scripts.embeddings import facts

LOAD = Load(rows=10, images=10, labelled=0, masked=0, tested=0, settings={})


@pytest.mark.parametrize("gpu", [False, True])
def test_a_search_requests_a_gpu_if_faiss_supports_it(gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "faiss_on_gpu", lambda: gpu)
    resources, cost = facts.search_resources(lambda load: load.images), facts.search_cost(lambda load: load.images**2)
    assert resources.gpu == gpu and resources.cores(8, 4) == 8
    assert cost.units(LOAD) == 100
    assert (cost.core_ms > 0, cost.gflop(LOAD) > 0) == (not gpu, gpu)
