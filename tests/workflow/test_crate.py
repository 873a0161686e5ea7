"""The crate as a target of the workflow, as an ordinary user."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.provenance.crate.graphs import check_crate
from tests.workflow.checkout import CONFIG, Checkout
from workflow_scripts.audit.audit import audit

pytestmark = pytest.mark.slow


def test_crate_of_the_small_study(copy_of: Callable[[], Checkout]) -> None:
    checkout = copy_of()
    folder = checkout.folder / "results" / "tiny" / "crate"
    assert not folder.exists(), "it is not part of a run without a target"
    checkout.finish("crate", *CONFIG)
    check_crate(folder)
    graph = json.loads((folder / "ro-crate-metadata.json").read_bytes())["@graph"]
    jobs = [one for one in graph if one["@type"] == "CreateAction" and one["@id"] != "#run"]
    assert {one["name"] for one in jobs} == set(checkout.records())
    host = socket.gethostname()
    for path in folder.rglob("*.json"):
        text = path.read_text()
        assert str(checkout.folder) not in text, path
        assert f'"{host}"' not in text, path
    study = audit([folder.parent], [], quick=False, jobs=1)[0]
    assert not [one for one in study.findings if "crate" in Path(one.path).parts], "a crate is no fault of a study"
    assert next(one for one in graph if one["@id"] == "./")["identifier"] == f"root-sha256:{study.root}"
    assert "Nothing to be done" in checkout.run("crate", *CONFIG)[1]
    assert "Nothing to be done" in checkout.run()[1], "a crate beside the artifacts disturbs no run"
