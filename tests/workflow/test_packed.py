"""Trainings on packs with copies on the node, through Snakemake to the report: the bytes of the plain study."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.workflow.checkout import NANO, Checkout, now

pytestmark = pytest.mark.slow
SAME = {"pretrain"}


def data(checkout: Checkout) -> dict[str, str]:
    """sha256 of the data files of :data:`SAME`; manifests name the inputs, which differ."""
    return {
        path: sha256
        for path, sha256 in checkout.hashes().items()
        if Path(path).parts[2] in SAME and not path.endswith(".manifest.json")
    }


def test_packs_and_copies_change_no_byte(nano: Checkout) -> None:
    copies, before, start = nano.folder / "node", data(nano), now()
    overlay = {"pack": {"shorter_side": None}, "pretraining": {"stage_in": {"folder": str(copies)}}}
    (nano.folder / "packed.yaml").write_text(yaml.safe_dump(overlay))
    for stage in SAME:
        shutil.rmtree(nano.folder / "results/nano" / stage)
        shutil.rmtree(nano.folder / "results/.cache" / stage)
    (nano.folder / "results/nano/report/index.manifest.json").unlink()
    nano.finish(*NANO, "packed.yaml")
    records = nano.records(start)
    assert {record["stage"] for record in records.values()} >= SAME | {"pack", "pack_index", "report"}
    (run,) = (record for record in records.values() if record["stage"] == "pretrain")
    assert not run["cached"] and run["facts"]["stage_in"]["copied_bytes"] > 0
    assert run["facts"]["stage_in"]["on_shared"] == {}
    assert data(nano) == before and {Path(path).parts[2] for path in before} == SAME
