"""Names in result tables that are written by one area and read by another, such as evaluation and reporting."""

from collections.abc import Iterable

MEAN = "mean"
"""In the column ``dataset`` of the summary: the mean over datasets."""
MEAN_SMALL, MEAN_LARGER = "mean, up to 96 px", "mean, larger"
"""Of contrasts: the mean over datasets of small images (:attr:`DownstreamSet.side`), and over the others."""
WITHOUT_LEAKED = "without_leaked."
"""Prefix of an accuracy without the test images that are among the training images: ``without_leaked.knn.accuracy``."""

PROBE = "linear_probe."
"""Prefix of the probe's accuracies; the objective follows."""


def probe_objective(metrics: Iterable[str]) -> str:
    """The objective that leads: scikit-learn's where it was fitted, else the first by name."""
    found = sorted({metric.split(".")[1] for metric in metrics if metric.startswith(PROBE)})
    return "sklearn" if "sklearn" in found or not found else found[0]


UNTRAINED, SUPERVISED, EXTERNAL = "untrained", "supervised", "external"
"""Methods that are a floor or a ceiling for all others, or come from elsewhere."""

RAW, CORRECTED, LEAD = "raw", "corrected", "lead"
"""Scales of saliency scores: as measured, between chance and ceiling, and ahead of another map."""
ALL = "all"
"""The stratum of all images."""
LEADING = "probe"
"""The map whose corrected score leads, and whose class is swapped."""
CHANCE, CEILING = "uniform", "oracle"
"""The maps between which scores are corrected."""
HEADLINE = "pixel_ap"
"""The score that leads: it depends on the order of pixels alone, so a sharper map does not gain."""
SALIENCY = f"saliency.{LEADING}.{HEADLINE}.{CORRECTED}"
"""The metric that leads."""
SHARED = "shared"
"""Role of the example images that are the same for every run."""
ROAD, SPEARMAN = "ROAD", "Spearman with the trained network's map"
"""A check whose values are logits, and a measure that is a correlation; others are corrected scores."""
