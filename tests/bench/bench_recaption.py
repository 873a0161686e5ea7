"""Recaptioning of several shards by one process, against a process per shard that passes each image through two towers.

    python -m tests.bench.bench_recaption

Small models of the real classes in which the vision tower takes twice the time of the rest, as by the operations that
were counted for BLIP-2 (ViT-g 521, OPT 240, query transformer 45 GFLOP per image). The baseline works as before models
and towers were shared: it loads both models for each shard, and captioner and matcher each preprocess the images and
pass them through a tower of their own. Both sides decode the next images while the models work (on one core), and keep
freed memory as the stage does. Loading and a first pass of each side are not timed.

The sides take turns, each going first in every other shard. Prints one JSON line: medians of images per second by the
clock and their ``ratio``; ``processor_ratio``, the same per second of processor time, which other work on the machine
hardly changes; loads of a model, and the largest difference of a score. Fails if a caption differs.
"""

import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2ForImageTextRetrieval,
    Blip2Processor,
    BlipImageProcessor,
)

from tests.captions.small_blip2 import TEXT, tokenizer
from tests.helpers import hashes
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.generate import generate_captions, load_captioner, model_inputs
from workflow_scripts.captions.recaptioning.models import Models, load_models
from workflow_scripts.captions.recaptioning.shard import recaption_shard
from workflow_scripts.core.images.reading import prepared
from workflow_scripts.core.runtime.process import keep_freed_memory
from workflow_scripts.core.shards import TarImages
from workflow_scripts.models import checkpoints
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.models.text_norms import MatchedText

SHARDS, IMAGES, BATCH, SIDE = 7, 48, 16, 224
DECODING = Decoding(max_new_tokens=12, min_new_tokens=12)
SCORES = ("itm_original", "itc_original", "itm_generated", "itc_generated")
Shard = tuple[pa.Table, TarImages]
Work = Callable[[pa.Table, TarImages], pa.Table]


class Rate(NamedTuple):
    """Images per second, by the clock and of processor time."""

    clock: float
    processor: float


def save_models(folder: Path, real: bool = False) -> tuple[Path, Path]:
    """Folders of a captioner and a matcher with equal towers, small or as large as BLIP-2 with OPT-2.7b."""
    processor = Blip2Processor(
        BlipImageProcessor(size={"height": SIDE, "width": SIDE}), tokenizer(50_272 if real else 0), num_query_tokens=32
    )
    words = len(processor.tokenizer)
    config = real_size(words) if real else small_size(words)
    found = []
    for kind in (Blip2ForConditionalGeneration, Blip2ForImageTextRetrieval):
        torch.manual_seed(3)
        with torch.device("cuda" if real else "cpu"):
            model = kind(config)
        torch.nn.init.normal_(model.query_tokens)
        (model.bfloat16() if real else model).save_pretrained(folder / kind.__name__)
        processor.save_pretrained(folder / kind.__name__)
        found.append(folder / kind.__name__)
        del model
    return found[0], found[1]


def real_size(words: int) -> Blip2Config:
    """ViT-g, the query transformer and OPT-2.7b; the first two are the defaults of the class."""
    return Blip2Config(
        qformer_config={"vocab_size": words, "use_qformer_text_input": True},
        text_config={
            "model_type": "opt", "hidden_size": 2560, "word_embed_proj_dim": 2560, "ffn_dim": 10_240,
            "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": words, "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2,
        },
        num_query_tokens=32,
        image_text_hidden_size=256,
        image_token_index=words - 1,
    )  # fmt: skip


def small_size(words: int) -> Blip2Config:
    """Small parts of realistic proportions."""
    layers = {"num_attention_heads": 4, "initializer_range": 0.1}
    return Blip2Config(
        vision_config={
            **layers, "hidden_size": 128, "num_hidden_layers": 14, "intermediate_size": 558, "image_size": SIDE,
            "patch_size": 14,
        },
        qformer_config={
            **layers, "hidden_size": 64, "num_hidden_layers": 4, "intermediate_size": 256, "vocab_size": words,
            "use_qformer_text_input": True,
        },
        text_config={
            "model_type": "opt", "hidden_size": 192, "word_embed_proj_dim": 192, "ffn_dim": 768, "init_std": 0.1,
            "num_hidden_layers": 6, "num_attention_heads": 8, "vocab_size": words, "max_position_embeddings": 128,
            "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        },
        num_query_tokens=32,
        image_text_hidden_size=32,
        image_token_index=words - 1,
    )  # fmt: skip


def shard(folder: Path, number: int, images: int = IMAGES) -> Shard:
    """Rows and photos, 512 px wide, of a shard."""
    rng, blobs = np.random.default_rng(number), []
    for _ in range(images):
        coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        stream = io.BytesIO()
        coarse.resize((512, 384), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        blobs.append(stream.getvalue())
    path = folder / f"{number}.tar"
    path.write_bytes(b"".join(blobs))
    size, words = np.array([len(blob) for blob in blobs]), TEXT.split()
    captions = [" ".join(rng.choice(words, rng.integers(2, 28))) for _ in blobs]
    rows = pa.table({"key": [f"{number}-{i}" for i in range(images)], "caption": captions})
    return rows, TarImages([path], np.zeros(images, np.int64), np.cumsum(size) - size, size, hashes(blobs))


@contextmanager
def loading() -> Iterator[list[None]]:
    """One entry per load of a model."""
    loads: list[None] = []
    load = checkpoints.pretrained

    def counted(*given: Any) -> Any:
        loads.append(None)
        return load(*given)

    with mock.patch.object(checkpoints, "pretrained", counted):
        yield loads


def ours(models: Models, folder: Path) -> Work:
    """What captions and scores a shard by models that are loaded already."""

    def work(rows: pa.Table, images: TarImages) -> pa.Table:
        batches = Path(tempfile.mkdtemp(dir=folder))
        return recaption_shard(rows, images, BATCH, batches, lambda: models, 1)

    return work


def as_before(folders: tuple[Path, Path]) -> Work:
    """Loads both models; gives what captions and scores a shard by them."""
    captioner, matcher = load_captioner(folders[0], "cpu"), load_matcher(folders[1], "cpu", 32)

    def work(rows: pa.Table, images: TarImages) -> pa.Table:
        texts, itm, itc = [], [], []
        cuts = [range(start, min(start + BATCH, len(rows))) for start in range(0, len(rows), BATCH)]
        for cut, pictures in zip(cuts, prepared(images, cuts, lambda pictures: pictures, 1), strict=True):
            keys = [rows["key"][row].as_py() for row in cut]
            inputs = model_inputs(captioner, pictures, DECODING.prompt)
            generated = [one[0] for one in generate_captions(captioner, inputs, keys, DECODING)]
            states = matcher.image_states(pictures)
            both = states, matcher.image_vectors(states)
            for captions in ([rows["caption"][row].as_py() for row in cut], generated):
                scores = matcher.scores(both, matcher.read(captions))
                itm.append(scores[0])
                itc.append(scores[1])
            texts += generated
        columns = {"generated": texts}
        for name, found in (("itm", itm), ("itc", itc)):
            columns[f"{name}_original"] = torch.cat(found[::2]).tolist()
            columns[f"{name}_generated"] = torch.cat(found[1::2]).tolist()
        return pa.table(columns)

    return work


def measured(work: Work, rows: pa.Table, images: TarImages) -> tuple[pa.Table, Rate]:
    """What the work gives, and how fast."""
    start, spent = time.perf_counter(), time.process_time()
    table = work(rows, images)
    return table, Rate(len(rows) / (time.perf_counter() - start), len(rows) / (time.process_time() - spent))


def largest_difference(one: pa.Table, other: pa.Table) -> float:
    """Of a score. Ends the benchmark if a caption differs."""
    if one["generated"] != other["generated"]:
        raise SystemExit("captions differ")
    return max(float(np.abs(one[name].to_numpy() - other[name].to_numpy()).max()) for name in SCORES)


def main() -> None:
    """Measure."""
    keep_freed_memory()
    torch.set_num_threads(1)
    rates: dict[str, list[Rate]] = {"ours": [], "baseline": []}
    differences, their_loads = [], 0
    with tempfile.TemporaryDirectory() as at, torch.inference_mode():
        folders, first = save_models(Path(at)), shard(Path(at), SHARDS, BATCH)
        with loading() as our_loads:
            sides = {"ours": ours(load_models(*folders, "cpu", DECODING, MatchedText()), Path(at))}
        sides["ours"](*first)
        for number in range(SHARDS):
            with loading() as loads:
                sides["baseline"] = as_before(folders)
            their_loads += len(loads)
            sides["baseline"](*first)
            photos, tables = shard(Path(at), number), {}
            for name in sorted(sides, reverse=number % 2 == 0):
                tables[name], rate = measured(sides[name], *photos)
                rates[name].append(rate)
            differences.append(largest_difference(tables["ours"], tables["baseline"]))
    mine, theirs = (Rate(*map(statistics.median, zip(*rates[name], strict=True))) for name in ("ours", "baseline"))
    line = {"bench": "recaption", "ours": round(mine.clock, 2), "baseline": round(theirs.clock, 2)}
    line |= {"ratio": round(mine.clock / theirs.clock, 3)}
    line |= {"processor_ratio": round(mine.processor / theirs.processor, 3)}
    line |= {"loads_ours": len(our_loads), "loads_baseline": their_loads, "largest_difference": max(differences)}
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
