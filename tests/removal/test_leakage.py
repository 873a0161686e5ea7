"""Fingerprints of a removed image, and the pairs that it is in, go with it."""

from pathlib import Path

import pyarrow.parquet as pq

from tests.acquisition.fault_server import serving
from tests.file_bytes import parquet
from tests.helpers import hex_hashes, make_artifact, run
from tests.removal.test_removal import IMAGES, make
from workflow_scripts.removal.removal import remove_listed
from workflow_scripts.stages import image_hashes, leakage

BLOCK = "00000-00001"
PRINTS = f"study/image_hashes/{BLOCK}.parquet"


def checked(results: Path, exclude: list[str], address: str, dataset: Path) -> None:
    """The study with fingerprints of both shards, and the search for a dataset's test images among them."""
    made = make(results, exclude, address)
    shards = {"shards": [made[shard].manifest_path for shard in ("0", "1")]}
    prints = run(image_hashes.STAGE, results, f"image_hashes/{BLOCK}", {}, shards, {"block": BLOCK})
    inputs = {"dataset": dataset, "hashes": prints.manifest_path}
    run(leakage.STAGE, results, "leakage/own", {}, inputs, {"dataset": "own"})


def holders(results: Path, pixels: bytes, picture: bytes, key: str) -> set[tuple[str, str]]:
    """Stage and place (study or cache) of the tables with a fingerprint of an image, or with its key as a match."""
    found = set()
    for path in results.rglob("*.parquet"):
        columns = pq.read_table(path).to_pydict()
        fingerprint = pixels in columns.get("pixels", []) or picture in columns.get("picture", [])
        if fingerprint or key in columns.get("train", []):
            place = path.relative_to(results).parts
            found.add((place[1], place[0]))
    return found


def test_fingerprints_and_matches_of_removed_rows_are_deleted(results: Path) -> None:
    row = {"key": "x", "split": "test", "offset": 0, "size": len(IMAGES["p2"]), "sha256": hex_hashes([IMAGES["p2"]])[0]}
    files = {".parquet": parquet([row]), ".tar": IMAGES["p2"]}
    dataset = make_artifact(results, "eval_dataset", "own", files, {"dataset": "own"})
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        checked(results, [], site.address, dataset)
        stages = {"image_hashes", "leakage"}
        (before,) = pq.read_table(results / PRINTS, filters=[("key", "=", "p2")]).to_pylist()
        needle = before["pixels"], before["picture"], "p2"
        assert holders(results, *needle) == {(stage, place) for stage in stages for place in ("study", ".cache")}
        checked(results, ["p2"], site.address, dataset)
    assert holders(results, *needle) == {(stage, ".cache") for stage in stages}
    remove_listed(results, "study")
    assert holders(results, *needle) == set()
    left = pq.read_table(results / PRINTS)["key"].to_pylist()
    assert "p1" in left and "p2" not in left
