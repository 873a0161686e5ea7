"""The kind of arm of docs/extending.md; run in a copy that has it."""

import pyarrow as pa

from tests.extending.configs import refusal, study_with
from workflow_scripts.captions.arm_kind import ArmInputs
from workflow_scripts.stages.select_captions import ARM_KINDS, SelectCaptions
from workflow_scripts.study.reference.schema import config_schema

ARM = {"name": "both", "kind": "joined"}
TABLE = pa.table(
    {
        "key": ["a", "b"],
        "subreddit": ["x", "x"],
        "year": pa.array([2020, 2020], pa.int16()),
        "original": ["wow", "my cat"],
        "generated": [["a dog", "a wolf"], ["a cat", "two cats"]],
        "itm_generated": pa.array([[0.0, 1.0], [2.0, 1.0]], pa.list_(pa.float32())),
        "itc_generated": pa.array([[0.1, 0.2], [0.3, 0.4]], pa.list_(pa.float32())),
    }
)


def test_the_example_arm_gives_each_image_a_caption() -> None:
    kind = ARM_KINDS["joined"]
    arm = kind.select(ArmInputs(TABLE), kind.settings(separator=" / "))
    assert arm["caption"].to_pylist() == ["wow / a wolf", "my cat / a cat"]
    assert arm["origin"].to_pylist() == ["joined", "joined"] and arm["itm"].null_count == 2


def test_configs_and_schema_include_the_new_entry() -> None:
    arms = [{"name": name, "kind": name} for name in ("original", "generated", "revised", "shuffled")]
    arms[3]["base"] = "both"
    units = study_with({"arms": [*arms, {**ARM, "separator": " / "}]})
    SelectCaptions.model_validate(units.settings("select_captions", {"arm": "both"}))
    assert "did you mean joined?" in refusal({"arms": [{**ARM, "kind": "joind"}]})
    assert "separator" in str(config_schema())
