"""One hash for a whole study, so that two people can compare studies by a single line."""

import hashlib
from collections.abc import Iterable

AROUND = ("report", "crate")  # made from the study, not part of it


def root_hash(manifests: Iterable[tuple[str, str]]) -> str:
    """sha256 over lines ``<manifest hash>  <stage>/<name>``, sorted by label, without report and crate.

    Args:
        manifests: label and manifest hash of every artifact of the study; a repeated pair counts once.
    """
    counted = sorted({(label, value) for label, value in manifests if label.split("/")[0] not in AROUND})
    return hashlib.sha256("".join(f"{value}  {label}\n" for label, value in counted).encode()).hexdigest()
