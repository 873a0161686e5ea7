"""One pretraining run: backbone weights of the kept checkpoints, the training curve, and the run's metadata.

Inputs: ``images`` (image_index or pack_index), ``pairs`` (pair_table; language and visual pairs), ``captions``
(select_captions; methods that learn which captions are equal), ``tokens`` (tokens) and ``vectors`` (embed_captions;
methods that learn from them), ``faithfulness`` (select_captions or embed_captions; weights of pairs), ``truth``
(demo_world; labels), ``common`` (common_images, optional: the only images to train on), ``probe`` (eval_dataset,
optional; without it the online probe predicts subreddits), ``network`` (source; a network from elsewhere). An untrained
run needs none.
"""

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources, Tolerance
from workflow_scripts.core.runtime.precision import switches
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.embeddings.facts import WIDTH
from workflow_scripts.pretraining.settings import METHODS, TRAINING, Pretrain

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from workflow_scripts.pretraining.data.caption_vectors import CaptionVectors
    from workflow_scripts.pretraining.data.pairing import Pairing
    from workflow_scripts.pretraining.data.token_rows import TokenRows
    from workflow_scripts.pretraining.training.plan import Plan

    Learned = tuple[Pairing, np.ndarray | None, TokenRows | None, np.ndarray | None, CaptionVectors | None]


def pretrain(job: Job[Pretrain]) -> None:
    """Train the run, or write its initial weights; count the images without a partner."""
    from workflow_scripts.core.files.jsonio import pretty, read_json
    from workflow_scripts.core.files.tables import write_table
    from workflow_scripts.models.text.tower import TOWER
    from workflow_scripts.pretraining.schedule import schedule
    from workflow_scripts.pretraining.training.plan import OUTCOME, weights_name
    from workflow_scripts.pretraining.training.run_metadata import about_backbone, curve_table, run_metadata

    counts: dict[str, float] = {}
    length = schedule(job.settings, 0)
    outcome: dict = {"step": 0, "best_step": 0, "best": None, "stopped": False, "curve": []}
    if not job.settings.trains:
        about = _untrained(job)
    else:
        from workflow_scripts.pretraining.training.interrupt import Interrupt

        # From here on SLURM may preempt the job; imports and tables take a while, so this comes first.
        with Interrupt() as interrupt:
            from workflow_scripts.pretraining.training.launch import launch
            from workflow_scripts.pretraining.training.plan import calibrated
            from workflow_scripts.pretraining.training.stage_in import stage_in_facts

            plan = _plan(job)
            counts = _counts(job, plan)  # by the numbers of images in the index
            plan, calibration = calibrated(plan)
            length, counts = plan.schedule, counts | calibration
            starts = launch(plan, interrupt)
            copies = {"stage_in": facts} if (facts := stage_in_facts(job.work)) else {}
            job.note(starts=starts, precision=switches(TRAINING, job.device), **copies)
        outcome = read_json(job.work / OUTCOME, "run the stage again")
        about = about_backbone(job.settings)
    metadata = run_metadata(job.settings, about, length, outcome, counts)
    towers = [TOWER] if (job.work / TOWER).exists() else []  # only some methods have one
    for name in (*map(weights_name, metadata["checkpoints"]), *towers):
        shutil.copyfile(job.work / name, job.file(f"/{name}"))
    job.file("/run.json").write_bytes(pretty(metadata))
    write_table(job.file("/curve.parquet"), curve_table(outcome["curve"]))


def _untrained(job: Job[Pretrain]) -> dict[str, Any]:
    """Write the weights of a network that is not trained here; what ``run.json`` says about it."""
    from workflow_scripts.models.external import load_external
    from workflow_scripts.pretraining.network import seeded_backbone
    from workflow_scripts.pretraining.training.checkpoint import write_tensors
    from workflow_scripts.pretraining.training.plan import weights_name
    from workflow_scripts.pretraining.training.run_metadata import about_backbone

    settings = job.settings
    if settings.network is not None:
        source = job.source("network") if job.has_source("network") else None
        network, about = load_external(settings.network, source, settings.seed)
    else:
        network, _ = seeded_backbone(settings.backbone, settings.seed, settings.image_size)
        about = about_backbone(settings)
    write_tensors(job.work / weights_name("last"), network.state_dict())
    return about


def _plan(job: Job[Pretrain]) -> "Plan":
    import pyarrow.parquet as pq

    from workflow_scripts.core.inputs import settle
    from workflow_scripts.core.shards import dataset_images, index_images
    from workflow_scripts.pretraining.data.faithfulness import SCORES
    from workflow_scripts.pretraining.data.pairing import numbered
    from workflow_scripts.pretraining.monitor.probing import dataset_rows, split_rows
    from workflow_scripts.pretraining.monitor.tracking import missing_tracker
    from workflow_scripts.pretraining.training.plan import Plan, decoded_bytes

    settings, index = job.settings, job.input("images")
    if settings.tracker is not None and (missing := missing_tracker(settings.tracker)) is not None:
        raise missing
    table = pq.read_table(index.path(".parquet"), columns=["key", "subreddit", "width", "height"])
    learned = _learned(job, table["key"])
    faithfulness = None
    if settings.pair_weight != "none":
        faithfulness = SCORES[settings.pair_weight](job.inputs("faithfulness"), table["key"])
    images, probe = index_images(index), None
    if settings.probe is not None and job.inputs("probe"):
        dataset = job.input("probe")
        probe = dataset_rows(dataset_images(dataset), dataset.path(".parquet"), settings.probe.images)
    elif settings.probe is not None:
        probe = split_rows(images, numbered(table["subreddit"]), settings.probe.images)
    settle()  # tables are in memory and images are verified when read: an edited input must not end days of training
    keep = decoded_bytes(table) <= settings.cache_mb * 2**20
    study, run = job.staging.artifact.parents[1].name, job.staging.artifact.name
    machine = job.work, job.device, job.threads, job.workers
    return Plan(settings, images, keep, *learned, faithfulness, probe, *machine, study, run)


def _learned(job: Job[Pretrain], keys: "pa.ChunkedArray") -> "Learned":
    """What is learned from the images to train on, in the order of the plan; other ``keys`` are counted by reason."""
    from workflow_scripts.pretraining.data.caption_vectors import embedded_pairs
    from workflow_scripts.pretraining.data.inputs import read_captions, read_common, read_labels, read_pairing
    from workflow_scripts.pretraining.method import LabelSettings

    settings, captions, tokens, labels, vectors = job.settings, None, None, None, None
    if isinstance(settings.head, LabelSettings):
        truth = job.input("truth").path(".truth.parquet")
        pairing, labels = read_labels(settings.head.label, keys, truth)
        dropped = {"no_label": len(keys) - len(pairing)}
    else:
        paired = job.input("pairs").path(".parquet") if "pairs" in settings.inputs else None
        pairing = read_pairing(settings, keys, paired)
        dropped = {"no_pair": len(keys) - len(pairing)}
    before = len(pairing)
    if "captions" in settings.inputs:
        pairing, captions = read_captions(pairing, keys, job.input("captions").path(".parquet"))
    if "tokens" in settings.inputs:
        pairing, tokens = _tokens(job, pairing, keys)
    if "vectors" in settings.inputs:
        pairing, vectors = embedded_pairs(pairing, keys, job.input("vectors"), job.work / "vectors.npy")
    if METHODS[settings.method].captions:
        dropped["no_caption"] = before - len(pairing)
    if job.inputs("common"):
        pairing, kept = read_common(pairing, keys, job.input("common").path(".parquet"))
        dropped["not_common"] = len(kept) - len(pairing)
        captions = None if captions is None else captions[kept]
        tokens = None if tokens is None else tokens.of(kept)
        labels = None if labels is None else labels[kept]
        vectors = None if vectors is None else vectors.of(kept)
    job.rows(len(keys), len(pairing), dropped)
    return pairing, captions, tokens, labels, vectors


def _tokens(job: Job[Pretrain], pairing: "Pairing", keys: "pa.ChunkedArray") -> "tuple[Pairing, TokenRows]":
    """The pairs whose source has tokens, and these tokens, in a copy that nothing can change during the training."""
    from workflow_scripts.core.files.jsonio import read_json
    from workflow_scripts.pretraining.data.inputs import read_tokens
    from workflow_scripts.pretraining.data.token_rows import TokenSizes

    artifact, copy = job.input("tokens"), job.work / "tokens.npy"
    shutil.copyfile(artifact.path(".npy"), copy)
    about = read_json(artifact.path(".json"), "rerun the workflow from this artifact")
    sizes = TokenSizes(*(about[name] for name in TokenSizes._fields))
    return read_tokens(pairing, keys, artifact.path(".parquet"), copy, sizes)


def _counts(job: Job[Pretrain], plan: "Plan") -> dict[str, float]:
    """What a run says about its pairs if its settings or the study decide which there are, or how much they count."""
    from workflow_scripts.pretraining.data.faithfulness import unscored

    counts: dict[str, float] = {"self_pairs": plan.pairing.self_pairs} if job.settings.unpaired == "self" else {}
    if plan.faithfulness is not None:
        counts |= unscored(plan.faithfulness, plan.pairing)
    return counts | ({"partners_elsewhere": plan.pairing.elsewhere} if job.inputs("common") else {})


def _training(units: Any, unit: Mapping[str, str]) -> Any:
    return units.trainings[unit["run"]]


STAGE = Stage(
    run=pretrain,
    settings=Pretrain,
    artifact="{run}",
    packages=("torch", "torchvision", "timm", "transformers", "accelerate", "numpy", "pillow", "simplejpeg"),
    # How often the run is saved, what is kept in memory or on nodes, and the tracker: no bytes depend on these.
    not_in_key=frozenset({"checkpoint_every", "cache_mb", "stage_in", "tracker"}),
    on_device=True,
    precision=TRAINING,
    gpus=lambda settings: settings.gpus,
    entries=lambda settings: settings.entries,
)

FACTS = Facts(
    files={
        "/text.safetensors": File(
            "only of methods that learn from tokens: the final text tower",
            Tolerance(0.5, 0, "none, as the demo has no such run; the bound is the backbone's"),
        ),
        "/*.safetensors": File(
            "`last`, `best` and `step-<n>` or `epoch-<n>`: the kept [checkpoints](runs.md#checkpoints)",
            Tolerance(0.5, 0, "0.33 of the weights' norm; another seed: 0.92"),
        ),
        "/run.json": File(
            "what evaluations need to know about the run; not its run record",
            Tolerance(0.15, 0.2, "0.06, of the probe's accuracy"),
            published=True,
        ),
        "/curve.parquet": File(
            "loss, learning rate, probe and [statistics of features](statistics.md#collapse-and-divergence) by step",
            Tolerance(0.2, 0, "0.08, of the loss: rounding grows with every step"),
            published=True,
        ),
    },
    environment="train",
    resources=Resources(
        minutes=2_880,
        memory_mb=12_000,
        data=lambda load: (
            # Of each image, its row in the index; of each batch, of which loaders make some 16 ahead, its pixels.
            load.images * 600 + load.views * load.settings["batch_size"] * load.settings["image_size"] ** 2 * 16 * 3
        ),
        workers=True,
        # An estimate: weights with gradients and optimizer, and 51 MB for an image of 224 px in bfloat16 by ResNet-50,
        # more or less by the operations of the backbone.
        gpu_mb=lambda load: (
            1_000
            + (load.weights_bytes + load.text_bytes) * 4e-6
            + 6.2
            * load.forward_gflop
            * (load.settings["image_size"] / 224) ** 2
            * (1 + (load.settings["precision"] == "no"))
            * max(1, load.views)
            * (load.settings.get("micro_batch_size") or load.settings["batch_size"])
            / load.settings["processes"]
        ),
        resumes=True,
    ),
    cost=Cost(
        per="view",
        units=lambda load: load.views * load.settings["batch_size"] * load.steps,
        core_ms=2.1,  # decoding a 512-pixel JPEG 1.5, crop to 224 and flip 0.4 to 0.55; colours change on the GPU
        core_share=lambda load: min(1, 0.07 + 0.93 * load.image_bytes / 52_428.8),  # measured at 48 to 512 pixels
        # Forward and backward pass count as three forward passes; what saves memory takes one more each.
        gflop=lambda load: (
            (3 + bool(load.settings.get("micro_batch_size")))
            * load.forward_gflop
            * (load.settings.get("image_size", 224) / 224) ** 2
            * load.passes
            / max(1, load.views)
        ),
        source="measured at 512 pixels, less below; counted: three forward passes of the backbone",
    ),
    # The kept weights and, while it trains, the last two checkpoints with optimizer state (three times the weights) and
    # a copy of the vectors that it learns from.
    disk=lambda load: (
        load.weights_bytes * (load.checkpoints + 2 * 3)
        + load.text_bytes * (1 + 2 * 3)
        + load.rows * WIDTH * 4 * ("vectors" in METHODS[load.settings["method"]].learns)
    ),
    names=lambda units: units.runs,
    inputs={
        "images": lambda units, unit: _training(units, unit).images,
        "pairs": lambda units, unit: _training(units, unit).pair_table,
        "captions": lambda units, unit: _training(units, unit).captions("captions", "select_captions"),
        "tokens": lambda units, unit: _training(units, unit).captions("tokens", "tokens"),
        "vectors": lambda units, unit: _training(units, unit).vectors,
        "faithfulness": lambda units, unit: _training(units, unit).faithfulness,
        "truth": lambda units, unit: ["demo_world/world"] if "truth" in _training(units, unit).settings.inputs else [],
        "common": lambda units, unit: units.all("common_images") if _training(units, unit).settings.trains else [],
        "probe": lambda units, unit: _training(units, unit).probe,
    },
    settings=lambda units, unit: _training(units, unit).settings.model_dump(mode="json"),
    sources={"network": lambda units, unit: f"network-{_training(units, unit).run.network}"},
)

if __name__ == "__main__":
    run_stage(STAGE)
