"""The stage ``select_captions``."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.file_bytes import parquet
from tests.helpers import Fails, make_artifact, run
from tests.stages.captioned import CAPTIONS, Captioned
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.demo.world.texts import described
from workflow_scripts.demo.world.vocabulary import spec_of
from workflow_scripts.stages import select_captions


def captions(artifact: Artifact) -> list[str]:
    found: list[str] = pq.read_table(artifact.path(".parquet"))["caption"].to_pylist()
    return found


def test_original_generated_and_revised_captions_by_hand(given: Captioned) -> None:
    original, generated, revised = (given.arm(kind) for kind in ("original", "generated", "revised"))
    assert captions(original) == CAPTIONS
    rows = pq.read_table(Artifact(given.table).path(".parquet")).to_pylist()
    best = [max(zip(r["generated"], r["itm_generated"], strict=True), key=lambda c: c[1])[0] for r in rows]
    assert captions(generated) == best
    assert set(captions(revised)) <= {*CAPTIONS, *best}
    counted = json.loads(revised.path(".json").read_bytes())
    assert sum(counted["origin"].values()) == counted["rows"] == 9
    assert json.loads(original.path(".json").read_bytes())["empty"] == 1
    assert pq.read_table(original.path(".parquet"))["year"].to_pylist() == [2019] * 5 + [2020] * 4


def test_shuffled_and_mixed_captions_by_hand(given: Captioned) -> None:
    shuffled = captions(given.arm("shuffled", seed=4))
    assert sorted(shuffled) == sorted(CAPTIONS)
    assert not any(a == b for a, b in zip(shuffled, CAPTIONS, strict=True))
    mixed = captions(given.arm("mixed", share=1 / 3, base="original"))
    assert sum(a == b for a, b in zip(mixed, CAPTIONS, strict=True)) == 3


def test_any_arm_can_be_shuffled(given: Captioned, tmp_path: Path, fails: Fails) -> None:
    """An arm from a file, shuffled, of which half are shuffled again; and an arm of other images."""
    (tmp_path / "mine.csv").write_text("key,caption\n" + "".join(f"k{i},mine {i}\n" for i in range(9)))
    inputs, sources = {"captions": given.table}, {"external": tmp_path / "mine.csv"}
    run(select_captions.STAGE, given.results, "select_captions/external", {"kind": "external"}, inputs, {}, sources)
    shuffled = given.arm("shuffled", base="external", seed=1)
    wanted = [f"mine {i}" for i in range(9)]
    assert sorted(captions(shuffled)) == wanted
    assert not any(a == b for a, b in zip(captions(shuffled), wanted, strict=True))
    mixed = captions(given.arm("mixed", base="shuffled", share=5 / 9))
    assert sorted(mixed) == wanted and sum(a == b for a, b in zip(mixed, captions(shuffled), strict=True)) == 5
    odd = pq.read_table(shuffled.path(".parquet")).slice(1)
    make_artifact(given.results, "select_captions", "external", {".parquet": parquet(odd)})
    with fails("captions belong to other images"):
        given.arm("shuffled", base="external")


def test_external(given: Captioned, tmp_path: Path, fails: Fails) -> None:
    source = tmp_path / "mine.csv"
    rows = [f"k{i},rewritten {i}" for i in range(8)] + ["k0,rewritten 0", "k0,again", "else,where"]
    source.write_text("\n".join(["key,caption", *rows]))
    inputs, sources = {"captions": given.table}, {"external": source}
    settings = {"kind": "external", "max_missing_share": 0.2}
    made = run(select_captions.STAGE, given.results, "select_captions/mine", settings, inputs, {}, sources)
    assert captions(made) == [*(f"rewritten {i}" for i in range(8)), ""]
    assert made.rows == {"in": 11, "out": 8, "dropped": {"duplicate": 1, "not_chosen": 1, "not_in_study": 1}}
    counted = json.loads(made.path(".json").read_bytes())
    assert counted["origin"] == {"external": 8, "none": 1}
    assert (counted["file"]["captions"], counted["file"]["images_not_in_file"]) == (11, 1)
    with fails("error: missing captions in"):
        run(select_captions.STAGE, given.results, "select_captions/few", {"kind": "external"}, inputs, {}, sources)


def test_captions_by_what_the_pictures_of_the_world_show(given: Captioned, fails: Fails) -> None:
    specs = [spec_of(0, "post", index) for index in range(12)]
    truth = pa.Table.from_pylist([{"image_id": f"k{index}", **vars(spec)} for index, spec in enumerate(specs)])

    def arm(rows: pa.Table) -> Artifact:
        world = make_artifact(given.results, "demo_world", "world", {".truth.parquet": parquet(rows)})
        settings = {"kind": "world", "coverage": 0.67, "precision": 0.75, "seed": 3}
        inputs = {"captions": given.table, "truth": [world]}
        return run(select_captions.STAGE, given.results, "select_captions/cell", settings, inputs, {"arm": "cell"})

    made = arm(truth)
    assert captions(made) == [described(3, f"k{i}", specs[i], 0.67, 0.75).text for i in range(9)]
    rows = pq.read_table(made.path(".parquet"))
    assert rows["origin"].to_pylist() == ["world"] * 9 and rows["itm"].null_count == 9
    with fails("image not of the demo's world", "k8"):
        arm(truth.filter(pc.not_equal(truth["image_id"], "k8")))
