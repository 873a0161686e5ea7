"""A tiny downstream study, made by the stages themselves: world, two sets, a run, features, probe."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from tests.file_bytes import encoded, parquet, write_tar
from tests.helpers import make_artifact, run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.networks.view import view_of
from workflow_scripts.models.preprocessing import preprocessing
from workflow_scripts.stages import eval_dataset, eval_images, features, linear_probe

UNIT = {"run": "untrained-none-none-resnet_small-s0", "step": "last"}
CHECKPOINT = ".".join(UNIT.values())
CLASSES = ("house", "tree", "boat")
SIZE = 24
VIEW = view_of(SIZE, "bilinear", 1.0)


@dataclass
class Chain:
    """Manifests of a tiny study in ``results``; packed images, features and probes by dataset."""

    results: Path
    world: Path
    datasets: dict[str, Path]
    images: dict[str, Path]
    run: Path
    features: dict[str, Path]
    probes: dict[str, Path]

    def copy_to(self, results: Path) -> "Chain":
        """The same study in another folder, which must not exist."""
        shutil.copytree(self.results, results)

        def there(path: Path) -> Path:
            return results / path.relative_to(self.results)

        datasets, images, features, probes = (
            {name: there(path) for name, path in one.items()}
            for one in (self.datasets, self.images, self.features, self.probes)
        )
        return Chain(results, there(self.world), datasets, images, there(self.run), features, probes)


def thing(label: int, seed: int) -> tuple[bytes, bytes]:
    """An image of a coloured square, and its mask with an ignored border line."""
    rng = np.random.default_rng([label, seed])
    pixels = rng.integers(90, 140, (SIZE, SIZE, 3)).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    y, x = rng.integers(2, 12, 2)
    pixels[y : y + 10, x : x + 10, label] = 255
    mask[y : y + 10, x : x + 10] = 1
    mask[y, x : x + 10] = 255
    return encoded(pixels), encoded(mask)


def make_world(results: Path, each: int = 14) -> Path:
    """A demo_world artifact with the task ``concept`` and masks."""
    folder = results / "made"
    folder.mkdir(parents=True)
    members = {
        f"{split}/{name}/{i}.png": thing(label, i + 100 * (split == "test"))[0]
        for split, n in (("train", each), ("test", 8))
        for label, name in enumerate(CLASSES)
        for i in range(n)
    }
    rows, masked = [], {}
    for i in range(9):
        image, mask = thing(i % 3, 500 + i)
        masked |= {
            f"images/m{i}.png": image,
            f"masks/m{i}.png": encoded(np.zeros((SIZE, SIZE), np.uint8)) if i == 4 else mask,
        }
        rows.append(
            {"image_id": f"m{i}", "file": f"images/m{i}.png", "mask": f"masks/m{i}.png", "label": CLASSES[i % 3]}
        )
    files = {
        ".probe_concept.tar": write_tar(folder / "c.tar", members),
        ".masks.tar": write_tar(folder / "m.tar", {**masked, "labels.parquet": parquet(rows)}),
    }
    return make_artifact(results, "demo_world", "world", files)


def make_run(results: Path, name: str = UNIT["run"], seed: int = 0) -> Path:
    """A pretrain artifact with a randomly initialised network."""
    torch.manual_seed(seed)
    network = build_backbone("resnet_small")[0]
    path = results / "made" / "last.safetensors"
    save_file(network.state_dict(), path)
    facts = {
        "backbone": "resnet_small",
        "feature_dim": 128,
        "method": "untrained",
        "preprocessing": preprocessing(SIZE),
    }
    files = {"/last.safetensors": path, "/run.json": json.dumps(facts).encode()}
    return make_artifact(results, "pretrain", name, files, {"run": name})


def make_chain(results: Path) -> Chain:
    """Everything up to the linear probe."""
    world, made = make_world(results), make_run(results)
    settings = {"concept": {"task": "concept"}, "masks": {"task": "concept", "masks": True, "metric": "mean_per_class"}}
    datasets = {
        name: run(
            eval_dataset.STAGE, results, f"eval_dataset/{name}", {"kind": "world", **more}, {"world": world}
        ).manifest_path
        for name, more in settings.items()
    }
    images = {name: made_images(results, path).manifest_path for name, path in datasets.items()}
    vectors = {name: made_features(results, made, path).manifest_path for name, path in images.items()}
    probes = {
        name: run(
            linear_probe.STAGE, results, f"linear_probe/{CHECKPOINT}.{name}", {"fine_points": 5, "resamples": 200},
            {"features": vectors[name], "dataset": path}, UNIT | {"dataset": name},
        ).manifest_path
        for name, path in datasets.items()
    }  # fmt: skip
    return Chain(results, world, datasets, images, made, vectors, probes)


def made_images(results: Path, dataset: Path, options: tuple[str, ...] = ()) -> Artifact:
    """The stage eval_images, for the run of this study."""
    name = Artifact(dataset).name
    unit = {"dataset": name, "view": VIEW.name}
    target = f"eval_images/{name}.{VIEW.name}"
    return run(eval_images.STAGE, results, target, VIEW.model_dump(), {"dataset": dataset}, unit, options=options)


def made_features(results: Path, made: Path, images: Path, options: tuple[str, ...] = ()) -> Artifact:
    """The features stage."""
    name, inputs = Artifact(images).unit["dataset"], {"run": made, "images": images}
    unit = UNIT | {"dataset": name}
    return run(features.STAGE, results, f"features/{CHECKPOINT}.{name}", {}, inputs, unit, options=options)
