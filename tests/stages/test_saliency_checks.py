import pyarrow.parquet as pq
import pytest

from tests.helpers import run
from tests.stages.evaluation_chain import UNIT, Chain
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import saliency, saliency_checks


@pytest.fixture(scope="module")
def made(chain: Chain) -> Artifact:
    unit = UNIT | {"dataset": "masks"}
    name = ".".join(unit.values())
    of_masks = {"features": chain.features, "probe": chain.probes, "dataset": chain.datasets, "images": chain.images}
    given = {"run": chain.run, **{name: paths["masks"] for name, paths in of_masks.items()}}
    scores = run(saliency.STAGE, chain.results, f"saliency/{name}", {"layers": ["layer3"]}, given, unit)
    settings = {"images": 6, "shares": [40], "resamples": 100}
    inputs = given | {"saliency": scores.manifest_path}
    return run(saliency_checks.STAGE, chain.results, f"saliency_checks/{name}", settings, inputs, unit)


def test_every_saliency_check_has_its_rows(made: Artifact) -> None:
    assert made.rows == {"in": 8, "out": 6, "dropped": {"over_limit": 2}}
    rows = pq.read_table(made.path(".parquet")).to_pylist()
    stages = ["trained", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]
    found = {(row["check"], row["at"], row["measure"]): row for row in rows}
    assert [row["at"] for row in rows if row["measure"] == "corrected AP" and row["check"] == "cascade"] == stages
    assert {at for check, at, measure in found if measure.startswith("Spearman")} == {"another photo", *stages[1:]}
    assert {check for check, _, _ in found} == {"cascade", "permuted masks", "permuted labels", "ROAD"}
    orders = [measure for check, at, measure in found if (check, at) == ("ROAD", "40 % removed")]
    assert orders == [f"fall of the logit, {name}" for name in ("most", "least", "most - least")]
    most, least, both = (found["ROAD", "40 % removed", measure]["value"] for measure in orders)
    assert both == pytest.approx(most - least)
    assert {row["n"] for row in rows if not row["measure"].startswith("Spearman")} == {6}
