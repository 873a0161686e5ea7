"""How often the interval of the share that is replaced by style holds the share by all other images, on the demo.

    python -m tests.bench.style_shares results/demo

BLIP-2's contrastive score (ITC) of the captions of 400 images with their own image and with each of the 256 images of
the sample is computed once. Then 64 (or fewer) of these are drawn for each caption as ``score_captions`` draws them,
20 times in another order, and judged as ``judge_comparison`` does. Prints a line per arm and number of other images:
the share by all, the mean and the range of the shares by draws, and how many of the 20 intervals hold the share by all.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from workflow_scripts.captions.diagnostics.judge_comparison import Scores, judges
from workflow_scripts.captions.scores import Comparison, chosen, sampled, styles
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.shards import index_images
from workflow_scripts.stages.score_captions import JUDGES

IMAGES, DRAWS, OTHERS, BATCH = 400, 20, (64, 32, 16), 64
MATCHER = Path("workflow_scripts/demo/captioner/match")


def replaced_by_style(own: dict[str, np.ndarray], others: dict[str, np.ndarray], clusters: np.ndarray) -> Any:
    """The figure of two arms, old and new.

    Args:
        own: (n,) scores with the own image, by age.
        others: (k, n) scores with other images.
        clusters: (n,) the random image.
    """
    raw = Scores(own["old"][None], own["new"][None], clusters)
    centred = {}
    for age, scores in own.items():
        style, halves = styles(others[age])
        centred[age] = scores - style + np.array([[0.0], [-0.5], [0.5]]) * halves
    compared = {("blip2", "itc"): {"raw": raw, "centred": Scores(centred["old"], centred["new"], clusters)}}
    return judges(compared)["blip2"]["itc"]["replaced_by_style"]


def main() -> None:
    """Compute the scores once, then draw."""
    study, judge = (
        Path(sys.argv[1]),
        JUDGES["blip2_itc"].load({"model": MATCHER}, "cpu", JUDGES["blip2_itc"].settings()),
    )
    index = Artifact(study / f"image_index/images{MANIFEST}")
    keys = pq.read_table(index.path(".parquet"), columns=["key"])["key"]
    images, rows, sample = index_images(index), np.flatnonzero(chosen(len(keys), IMAGES, 0)), sampled(len(keys), 0)

    def prepared(places: np.ndarray) -> tuple[torch.Tensor, ...]:
        parts = [judge.prepare(judge.load([images.image(int(row)) for row in places[at : at + BATCH]]))
                 for at in range(0, len(places), BATCH)]  # fmt: skip
        return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))

    mine, compared = prepared(rows), prepared(sample)
    texts = keys.take(pa.array(rows)).to_pylist()
    own, every = {}, {}
    for arm in ("original", "generated", "revised"):
        table = pq.read_table(
            Artifact(study / f"select_captions/{arm}{MANIFEST}").path(".parquet"), columns=["caption"]
        )
        read = judge.read(table["caption"].take(pa.array(rows)).to_pylist())
        own[arm] = judge.scores(mine, read)[0].numpy().astype(np.float64)
        of_images = [
            judge.scores(tuple(tensor[[at] * len(rows)] for tensor in compared), read)[0] for at in range(len(sample))
        ]
        every[arm] = torch.stack(of_images).numpy().astype(np.float64)
    is_own = sample[:, None] == rows
    for arm in ("generated", "revised"):
        ages = {"old": "original", "new": arm}
        mine_of = {age: own[name] for age, name in ages.items()}
        gain = mine_of["new"] - mine_of["old"]
        style = {age: np.nanmean(np.where(is_own, np.nan, every[name]), axis=0) for age, name in ages.items()}
        truth = float(np.mean((gain - (style["new"] - style["old"]))[gain > 0] <= 0))
        for count in OTHERS:
            found = []
            for draw in range(DRAWS):
                order = np.random.default_rng([5, draw]).permutation(len(sample))
                places = order[Comparison(sample[order], count, draw).columns(texts, rows)].T
                drawn = {age: np.take_along_axis(every[name], places[1:], axis=0) for age, name in ages.items()}
                found.append(replaced_by_style(mine_of, drawn, places[0]))
            held = sum(share["low"] <= truth <= share["high"] for share in found)
            values = [share["value"] for share in found]
            width = np.mean([share["high"] - share["low"] for share in found])
            drawn_as = f"draws {np.mean(values):.4f} [{min(values):.4f}, {max(values):.4f}], width {width:.4f}"
            print(f"{arm}, {count} others: all {truth:.4f}, {drawn_as}, held {held} of {DRAWS}", flush=True)


if __name__ == "__main__":
    main()
