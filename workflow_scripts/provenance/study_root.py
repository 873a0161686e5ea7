"""The root hash of a study as it is on disk."""

from collections.abc import Iterable

from workflow_scripts.core.artifact import label_of
from workflow_scripts.core.key import AROUND, root_hash
from workflow_scripts.provenance.nodes import Node, input_path

REPORT = "report/index"


def study_root(nodes: Iterable[Node]) -> tuple[str | None, set[str]]:
    """The root hash that the report shows, computed from the current manifests, and the labels behind it.

    Without a report it is over all artifacts. None when an artifact behind the report is missing.
    """
    by_label = {node.label: node for node in nodes}
    report = by_label.get(REPORT)
    labels = {label for label in by_label if label.split("/")[0] not in AROUND}
    if report is not None and report.record is not None:
        files = report.record.get("input_files", {})
        paths = [input_path(report, path) for found in files.values() for path in found]
        labels = {label_of(path) for path in paths}
    if not labels <= by_label.keys():
        return None, labels
    return root_hash((label, by_label[label].hash) for label in labels), labels
