"""Studies of claims with a known truth, of the demo's size, by the project's own chain from scores to findings."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.evaluation.contrasts.made_up import OBJECTIVES, series, study_scores
from workflow_scripts.claims.findings import Found, counted
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.evaluation.contrasts.contrasts import CONTRASTS, contrast_rows
from workflow_scripts.evaluation.contrasts.endpoints import Endpoint, Sample, orderings, stored, weighted_means
from workflow_scripts.evaluation.contrasts.settings import Contrast, SummaryRun
from workflow_scripts.evaluation.contrasts.study_scores import ROWS, StudyScores, summary_rows
from workflow_scripts.evaluation.discrimination.rule import Discrimination
from workflow_scripts.stats.clustered import share

CLASSES, CORRELATION = 12, 0.8
OF_CLASS, OF_NETWORK, OF_BOTH, START = 0.04, 0.025, 0.03, 0.4
"""Deviations of an arm's classes, of networks, and of a network's classes; the accuracy without an effect."""
RESAMPLES = 100
"""For the intervals over images, which no verdict depends on."""
Means = Callable[[SummaryRun], float]
"""The true accuracy of a run's arm."""


def arm(
    pairs: str,
    seeds: int = 3,
    method: str = "simclr",
    augmentation: str = "crop",
    tag: str = "",
    steps: int = 400,
    evaluated: Sequence[str] = ("last",),
) -> list[SummaryRun]:
    """The runs of an arm."""
    trained = method != "untrained"
    same = {"method": method, "pairs": pairs, "augmentation": augmentation, "tag": tag, "backbone": "resnet_small"}
    same |= {"batch_size": 64, "trained_steps": steps, "views_per_pair": 2, "role": "language"} if trained else {}
    name = "-".join(filter(None, (method, pairs, augmentation, tag)))
    return [
        SummaryRun.model_validate({**same, "run": f"{name}-s{seed}", "seed": seed, "steps": evaluated})
        for seed in range(10, 10 + seeds)
    ]


def correlated(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal deviations under two objectives: (2, *shape)."""
    both = rng.standard_normal((2, *shape))
    both[1] = CORRELATION * both[0] + np.sqrt(1 - CORRELATION**2) * both[1]
    return both


def drawn(rng: np.random.Generator, runs: Sequence[SummaryRun], means: Means) -> StudyScores:
    """Accuracies by class of all runs, under two objectives, on one set."""
    of_arms = {kind: OF_CLASS * correlated(rng, CLASSES) for kind in dict.fromkeys(run.kind for run in runs)}
    tables = {}
    for run in runs:
        own = of_arms[run.kind] + OF_NETWORK * correlated(rng, 1) + OF_BOTH * correlated(rng, CLASSES)
        both = zip(OBJECTIVES, means(run) + own, strict=True)
        tables[run.run, run.steps[-1]] = {(objective, "concept"): values for objective, values in both}
    return scores_of(tables)


def scores_of(tables: Mapping[tuple[str, str], Mapping[tuple[str, str], np.ndarray]]) -> StudyScores:
    found: StudyScores = study_scores({})
    for checkpoint, own in tables.items():
        found.series[checkpoint] = {key: series(*key, values) for key, values in own.items()}
    return found


def truth(contrast: Contrast, runs: Sequence[SummaryRun], means: Means) -> float:
    """The true value of a contrast of runs."""
    return float(
        sum(weight * np.mean([means(run) for run in runs if term.matches(run)]) for weight, term in contrast.cells)
    )


def study(
    name: str,
    contrasts: Sequence[Contrast],
    runs: Sequence[SummaryRun] = (),
    scores: StudyScores | None = None,
    endpoints: Iterable[tuple[Contrast, Endpoint]] = (),
) -> Found:
    """What a study finds."""
    scores = scores_of({}) if scores is None else scores
    rows = [row for row, _ in summary_rows(scores, runs)]
    found = [row for row, _ in contrast_rows(scores, runs, contrasts, RESAMPLES, endpoints=endpoints)]
    complete = [{key: row.get(key) for key in CONTRASTS.names} for row in found]
    settings = {contrast.name: contrast for contrast in contrasts}
    return Found(name, Path("results") / name, rows, counted(complete), settings, "ab12" * 16, "cd34" * 10)


def write(found: Found, results: Path) -> Path:
    """The study as its summary has it, below ``results``."""
    folder = results / found.name / "summary"
    folder.mkdir(parents=True)
    files: dict[str, object] = {}
    images = [
        {**row, "level": "image", "low": -half, "high": half, "verdict": None}
        for row in found.contrasts
        if (half := row["half_without_seeds"])
    ]
    contrasts = [*images, *found.contrasts]
    for suffix, rows, schema in ((".parquet", found.rows, ROWS), (".contrasts.parquet", contrasts, CONTRASTS)):
        path = folder / f"summary{suffix}"
        pq.write_table(pa.Table.from_pylist(list(rows), schema), path)
        files[suffix] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    manifest = {"schema": 1, "stage": "summary", "unit": {}, "files": files, "rows": {}}
    (folder / f"summary{MANIFEST}").write_bytes(pretty(manifest))
    record = {"stage": "summary", "git": {"commit": found.commit}}
    record |= {"settings": {"contrasts": [contrast.model_dump(mode="json") for contrast in found.settings.values()]}}
    (folder / f"summary{RUN}").write_bytes(pretty(record))
    return folder.parent


IMAGES, C1_SHARE = 400, 0.35
FAITHFUL, OF_IMAGE, OF_CAPTION = 1.5, 0.5, 1.0
"""What a judge's scores gain where a caption is faithful, and their deviations."""


def scored(rng: np.random.Generator, contrasts: Sequence[Contrast], faithful: float) -> list[tuple[Contrast, Endpoint]]:
    """Contrasts of captions: generated ones are faithful, shuffled ones are not, and a share of titles is."""
    of_image = OF_IMAGE * rng.standard_normal(IMAGES)
    values = {}
    for name, true in (("generated", 1.0), ("original", faithful), ("shuffled", 0.0)):
        own = of_image + FAITHFUL * (rng.random(IMAGES) < true) + OF_CAPTION * rng.standard_normal(IMAGES)
        half = 0.1 * rng.standard_normal(IMAGES)  # by each half of the other images alone
        values[name] = np.stack([own, own - half, own + half])
    images = pa.chunked_array([[f"k{at}" for at in range(IMAGES)]])
    return [
        (one, weighted_means("score", [Sample(w, values[term.arm or ""], images) for w, term in one.cells], [], True))
        for one in contrasts
    ]


def purity(rng: np.random.Generator, contrast: Contrast, shares: Mapping[str, float]) -> Endpoint:
    """Pairs of the same label, which depend on one another: an image that is hard in one table is so in others."""
    images, ease = pa.chunked_array([[f"k{at}" for at in range(IMAGES)]]), rng.random(IMAGES)
    samples = []
    for weight, term in contrast.cells:
        own = np.where(rng.random(IMAGES) < 0.5, ease, rng.random(IMAGES))
        samples.append(Sample(weight, (own < shares[term.pairs or ""]).astype(float)[None], images))
    return weighted_means("pair_purity", samples, [], False)


def flips(rng: np.random.Generator, contrast: Contrast, rate: float) -> Endpoint:
    """Replacements whose sign flips, of captions that were scored with one of 256 other images."""
    found = share((rng.random(1500) < rate).astype(float), rng.integers(0, 256, 1500))
    return stored(f"flips.{contrast.judge}.score", {**found._asdict(), "n": 1500}, [])


def orderings_of(rng: np.random.Generator, runs: Sequence[SummaryRun], metric: str) -> Endpoint:
    """Orderings by a metric that rises with the steps, by noise, or by one that only sees untrained networks."""
    tables, rows = {}, []
    for run in [*runs, *arm("none", 5, "untrained", "none")]:
        for level, step in enumerate(run.steps):
            mean = {"true": 0.05 * level, "noise": 0.0, "extremes": 0.4 * (run.method != "untrained")}[metric]
            values = mean + 0.02 * rng.standard_normal() + 0.25 * rng.standard_normal(120)
            tables[run.run, step] = {(SALIENCY, "masks"): values}
            rows.append({**run.model_dump(), "step": step})
    return orderings(scores_of(tables), rows, runs, None, Discrimination(), 50)
