"""All numbers of a study: one row per checkpoint, set and metric, and the mean over sets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.special import ndtri

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import MEAN, WITHOUT_LEAKED
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.evaluation.contrasts.series import READERS, ItemOrder, Series, per_class
from workflow_scripts.evaluation.contrasts.settings import SummaryRun
from workflow_scripts.stats.intervals import LEVEL

ROWS = pa.schema(
    [
        *[(name, pa.string()) for name in ("run", "method", "pairs", "augmentation")],
        ("seed", pa.int64()),
        *[(name, pa.string()) for name in ("step", "dataset", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        ("n", pa.int64()),
        *[(name, pa.string()) for name in ("tag", "backbone")],
        *[(name, pa.int64()) for name in ("batch_size", "trained_steps", "views_per_pair", "budget")],
        ("epochs", pa.float64()),
        ("chosen_on", pa.string()),
    ]
)


def without(one: Series, leaked: pa.ChunkedArray) -> dict[str, Any] | None:
    """Dataset, metric, value and n of the images that are left; None if none is.

    The network and its classifier stay as they are; only the tested images change.
    """
    kept = pc.invert(pc.is_in(one.keys, value_set=leaked)).to_numpy()
    if not kept.any():
        return None
    shares = per_class(one.labels[kept]) if one.metric.endswith("mean_per_class") else one.shares[kept]
    value = float(shares @ one.values[kept] / shares.sum())
    return {"dataset": one.dataset, "metric": f"{WITHOUT_LEAKED}{one.metric}", "value": value, "n": int(kept.sum())}


@dataclass
class StudyScores:
    """Series of every checkpoint.

    Attributes:
        series: (run, step) -> (family, dataset) -> series.
        files: the files that they were read from: ``<stage>/<name><suffix>`` and the manifest's sha256.
        statistics: (run, step) -> rows (dataset, metric, value, n), each with the indices of its files: statistics of
            features, and accuracies without leaked images.
        classes: names of each set's classes, by label.
    """

    series: dict[tuple[str, str], dict[tuple[str, str], Series]]
    files: list[dict[str, str]]
    statistics: dict[tuple[str, str], list[tuple[dict[str, Any], list[int]]]] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)

    def add_file(self, artifact: Artifact, suffix: str) -> int:
        """List a file of an artifact among the sources; its index."""
        name = f"{artifact.manifest['stage']}/{artifact.name}{suffix}"
        self.files.append({"file": name, "manifest_sha256": artifact.hash})
        return len(self.files) - 1


def read_scores(
    given: Mapping[str, Iterable[Artifact]], checks: Iterable[Artifact], sets: Iterable[Artifact] = ()
) -> StudyScores:
    """Read the artifacts of kinds of scores, which :data:`~workflow_scripts.evaluation.contrasts.series.READERS` names.

    Args:
        checks: artifacts of the stage ``leakage``; without them, nothing is scored without leaked images.
        sets: artifacts of the stage ``eval_dataset``, which name classes; without them, sets have none in common.

    Raises:
        PipelineError: two artifacts of a kind are of one checkpoint and set, or their items can't be paired.
    """
    scores, order = StudyScores({}, []), ItemOrder()
    for dataset in sets:
        scores.classes[dataset.name] = read_json(dataset.path(".json"), "compute this artifact again")["classes"]
    leaked = {}
    for check in checks:
        keys = pq.read_table(check.path(".parquet"), columns=["test"])["test"]
        leaked[check.name] = (scores.add_file(check, ".parquet"), keys)
    for kind, reader in READERS.items():
        seen = set()
        for artifact in given.get(kind, ()):
            checkpoint = (artifact.unit["run"], artifact.unit["step"])
            if artifact.name in seen:
                raise PipelineError("repeated input", artifact.manifest_path, artifact.name, "give each artifact once")
            seen.add(artifact.name)
            suffix = ".results.parquet" if kind == "saliency" else ".parquet"
            found, statistics = scores.series.setdefault(checkpoint, {}), scores.statistics.setdefault(checkpoint, [])
            for one in reader(artifact, scores.add_file(artifact, suffix), order):
                found[one.family, one.dataset] = one
                check_file, gone = leaked.get(one.dataset, (-1, ()))
                if one.keys is not None and gone and (row := without(one, gone)):
                    statistics.append((row, [one.file, check_file]))
            if kind == "knn":
                file = scores.add_file(artifact, ".statistics.parquet")
                for row in pq.read_table(artifact.path(".statistics.parquet")).to_pylist():
                    statistics.append((row | {"metric": f"features.{row['metric']}"}, [file]))
    return scores


def with_lengths(runs: Sequence[SummaryRun], trainings: Iterable[Artifact]) -> list[SummaryRun]:
    """The runs with their lengths in both steps and epochs, and whether they look collapsed, from their trainings."""
    lengths: dict[str, dict[str, Any]] = {}
    for artifact in trainings:
        about = read_json(artifact.path("/run.json"), "compute this artifact again")
        pairs = artifact.rows.get("out", 0)
        epochs = about["steps"] / (pairs // about["batch_size"]) if pairs else None
        collapsed = about.get("collapsed_step") is not None
        lengths[artifact.unit["run"]] = {"trained_steps": about["steps"], "epochs": epochs, "collapsed": collapsed}
    return [run.model_copy(update=lengths.get(run.run, {})) for run in runs]


def summary_rows(scores: StudyScores, runs: Sequence[SummaryRun]) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """Rows of :data:`ROWS`, each with the indices of the files it came from; runs and steps in the study's order.

    ``chosen_on`` names the reported set that chose the checkpoint. Means are over the sets of :func:`comparable`;
    statistics of features, and accuracies without leaked images, are not averaged over sets and have no interval.
    """
    for run in runs:
        for step in run.steps:
            found = scores.series.get((run.run, step), {})
            head = run.model_dump(exclude={"steps", "arm", "role", "encoder", "alike", "dose", "chosen"})
            head |= {"budget": run.budget_in("views"), "step": step, "chosen_on": run.chosen.get(step, "")}
            families: dict[str, list[Series]] = defaultdict(list)
            for one in found.values():
                families[one.family].append(one)
                row = {"dataset": one.dataset, "metric": one.metric, "value": one.value, "low": one.low}
                yield {**head, **row, "high": one.high, "n": one.n}, [one.file]
            for described, files in scores.statistics.get((run.run, step), []):
                yield {**head, **described, "low": None, "high": None}, files
            for members in families.values():
                fair = comparable(members, [head["chosen_on"]])
                if len(members) > 1 and fair:
                    yield {**head, **mean_row(fair)}, sorted({one.file for one in fair})


def comparable(members: Sequence[Series], chosen_on: Sequence[str]) -> list[Series]:
    """The series of a family that a mean over sets averages.

    Those of sets that chose the checkpoint are left out, and those of few-shot episodes with fewer classes than on
    other sets, as in PCam, which has two: chance is higher there.
    """
    most = max(one.ways for one in members)
    return [one for one in members if one.dataset not in chosen_on and one.ways == most]


def mean_metric(members: Sequence[Series]) -> str:
    """Metric name of a mean over sets: the common one, or ``<family>.mixed`` where sets average differently."""
    names = {one.metric for one in members}
    return names.pop() if len(names) == 1 else f"{members[0].family}.mixed"


def mean_row(members: Sequence[Series]) -> dict[str, Any]:
    """Unweighted mean over sets with a normal interval; the sets' items are drawn apart, so their variances add."""
    value = float(np.mean([one.value for one in members]))
    spread = float(np.sqrt(sum(one.variance() for one in members))) / len(members)
    half = float(ndtri(0.5 + LEVEL / 2)) * spread
    row = {"dataset": MEAN, "metric": mean_metric(members), "value": value, "low": value - half, "high": value + half}
    return row | {"n": sum(series.n for series in members)}
