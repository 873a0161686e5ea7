"""``faithful-pairs label``: a sheet on which people rate the captions of a study's arms."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.core.artifact import Artifact


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the sheet; by default labels/sheet.html in the study's folder")
    ] = None,
    images: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="number of images")] = 200,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="ARM", help="an arm whose captions are rated; by default all")
    ] = None,
    side: Annotated[int, typer.Option(min=32, max=2048, metavar="PIXELS", help="longer side of the images")] = 480,
    seed: Annotated[int, typer.Option(metavar="SEED", help="seed of the choice and of the order")] = 0,
) -> None:
    """Write a sheet on which people rate captions.

    The sheet is one HTML file for a browser; it needs no network. Raters see each image with the captions of all arms
    in random order, without the arms' names, and rate them by keyboard. They export a CSV file when they have finished.
    Images are drawn evenly from the quintiles of the difference between the ITM scores of the generated and the
    original caption (without generated ones, from all), and from the subreddits within each. docs/labelling.md explains
    the scale.

    Beside the sheet, FILE.key.csv says which image and which arm is behind each name on the sheet. Raters must not see
    it. Existing files are not overwritten.

    \b
    Examples:
      faithful-pairs label results/redcaps2020
      faithful-pairs label results/redcaps2020 --arm original --arm revised --images 100 --out first.html

    \b
    Exit status:
      0  written
      1  the study has no such captions yet, or a file exists already
      2  wrong usage
    """
    from workflow_scripts.core.files.names import LABELS

    sys.stdout.write(write_sheet(study, out or study / LABELS / "sheet.html", images, arm or [], side, seed))


def write_sheet(study: Path, out: Path, images: int, arms: list[str], side: int, seed: int) -> str:
    """Write the sheet and its key; returns what is printed.

    Raises:
        PipelineError: an artifact is missing or damaged, the study has no such arm, no image has both scores, or a file
            exists already.
    """
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from workflow_scripts.captions.arm_rows import generated_rows
    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.copies import record_copy
    from workflow_scripts.core.files.names import LABEL_KEY, LABELS
    from workflow_scripts.core.shards import images_of_keys
    from workflow_scripts.reporting.labels import items_of, key_file, sheet_name, sheet_page, stratified

    if out.exists():
        raise PipelineError("file exists", out, "it may have been rated", "give another file with --out")
    key = out.with_name(out.name + LABEL_KEY)
    chosen = _arms(study, arms)
    where = Artifact(study / "caption_table" / f"captions{MANIFEST}").path(".parquet")
    table = pq.read_table(where)
    if table["itm_original"].null_count == len(table):  # without recaption
        gain = np.zeros(len(table))
    else:
        gain = pc.subtract(generated_rows(table)["itm"], table["itm_original"]).to_numpy()
    rows = stratified(gain, table["subreddit"].to_pylist(), images, seed)
    if not rows:
        raise PipelineError("no image has two scores", where, f"{len(table)} images", "compute recaption first")
    keys = table["key"].take(rows).to_pylist()
    items = items_of(captions_of(chosen, keys), seed)
    stored, at = images_of_keys(Artifact(study / "image_index" / f"images{MANIFEST}"), keys)
    sheet = sheet_name(items)
    named = key_file(items, sheet)
    if key.exists() and key.read_bytes() != named:  # an equal one is from a call that was killed
        raise PipelineError("file exists", key, "it is the key of another sheet", "give another file with --out")
    page = sheet_page(items, (stored.image(at[item.key]) for item in items), sheet, side)
    if out.absolute().parent != (study / LABELS).absolute():
        record_copy(study, out, keys)
    _write(out.absolute(), page, key.absolute(), named)
    missing = len(table) - int(np.isfinite(gain).sum())
    left_out = [f"{missing} of {len(table)} images lack a score and were left out"] if missing else []
    told = f"{out}: {len(items)} images, arms {', '.join(chosen)}"
    return printed([told, f"{key}: the key; do not give it to raters", *left_out])


def _write(out: Path, page: bytes, key: Path, named: bytes) -> None:
    """Write the sheet and its key, so that a crash leaves no sheet without its key."""
    from workflow_scripts.core.files.durable import make_folders, write_durable

    make_folders(out.parent)
    write_durable(key, named)
    write_durable(out, page)


def _arms(study: Path, wanted: list[str]) -> "dict[str, Artifact]":
    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.reporting.labels import LETTERS

    folder = study / "select_captions"
    there = sorted(path.name.removesuffix(MANIFEST) for path in folder.glob(f"*{MANIFEST}"))
    names = list(dict.fromkeys(wanted)) or there
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        found = f"its arms are {', '.join(there)}" if there else "it has no captions; run snakemake first"
        raise PipelineError("unknown arm", folder, ", ".join(unknown) or "none", found)
    if len(names) > len(LETTERS):
        raise PipelineError("too many arms", folder, len(names), f"choose at most {len(LETTERS)} with --arm")
    return {name: Artifact(folder / f"{name}{MANIFEST}") for name in names}


def captions_of(arms: "dict[str, Artifact]", keys: list[str]) -> dict[str, dict[str, str]]:
    """key -> arm -> caption, in the order of ``keys``."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, str]] = {key: {} for key in keys}
    for name, artifact in arms.items():
        table = pq.read_table(artifact.path(".parquet"), columns=["key", "caption"], filters=[("key", "in", keys)])
        for key, caption in zip(table["key"].to_pylist(), table["caption"].to_pylist(), strict=True):
            found[key][name] = caption
    return found
