"""``faithful-pairs agreement``: how well the scores of a study's judges agree with people's ratings of captions."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from PIL import Image

    from workflow_scripts.captions.labels.agreement import Ratings
    from workflow_scripts.models.judge import Scorer
    from workflow_scripts.study.config.sections import Judge
    from workflow_scripts.study.units import Units

    Read = Callable[[str], Image.Image]

HEAD = ["judge", "score", "", "tau-b", "tau-c", "tau-c, random image", "ratings"]


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study with the judges, such as results/demo")],
    ratings: Annotated[
        Path,
        typer.Argument(
            metavar="RATINGS",
            help="a parquet or CSV file with columns image, caption and rating, or a folder with rated sheets and keys",
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="images are paths in this folder; by default they are keys of the study's images"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="all figures as JSON")] = False,
) -> None:
    """Measure how well each judge agrees with people.

    Each judge of the study's config scores the rated captions, with their own images and with other images of the
    ratings. Prints Kendall's tau-b and tau-c (Stuart) of scores and ratings, raw and centred, with 95 % intervals over
    images, and the same for a random image in place of the own one: 0 for a judge without a preference for the
    wording of captions that people rate well. Rows that can't be used are counted by reason. Nothing is written.

    Judges run in this process, on a GPU if the config allows it and one is visible. docs/arms.md says how to rate the
    judges on the public sets.

    \b
    Examples:
      faithful-pairs agreement results/demo results/demo/labels
      faithful-pairs agreement results/redcaps2020 data/flickr8k_expert.csv --images data/flickr8k/images --json

    \b
    Exit status:
      0  printed
      1  no config is known for the study, or it has no judges, or no ratings can be used
      2  wrong usage
    """
    import json
    import os

    if images is not None and ratings.is_dir():
        raise typer.BadParameter("sheets show the study's own images", param_hint="--images")
    found = agreement(Path(os.path.abspath(study)), ratings, images)
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if as_json else printed(lines(found)))


def agreement(study: Path, path: Path, folder: Path | None) -> dict[str, Any]:
    """What is printed.

    Raises:
        PipelineError: see the exit status of the command; an artifact or a model is missing or damaged.
    """
    from workflow_scripts.captions.labels.agreement import read_ratings
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.runtime.process import quiet_libraries
    from workflow_scripts.core.runtime.variables import limit_threads, unset_variables
    from workflow_scripts.stages.score_captions import JUDGES
    from workflow_scripts.study.active_config import units_of

    units = units_of(study.parent, study.name)
    if units is None:
        advice = "run snakemake -n with the config files of that study; it notes them"
        raise PipelineError("no config", study, "none is known for this study", advice)
    blind = [judge.name for judge in units.study.judges if JUDGES[judge.kind].by_reference]
    if len(blind) == len(units.study.judges):
        raise PipelineError("no judges", study, "its config has none that sees images", "add some (docs/arms.md)")
    quiet_libraries()
    unset_variables()
    limit_threads(units.study.compute.math_threads)
    ratings = _sheets(study, path) if path.is_dir() else read_ratings(path)
    if ratings.rows:
        ratings, read = _usable(study, folder, ratings)
    if not ratings.rows:
        value = f"{ratings.read} rows; left out: {_counted(ratings.left_out)}"
        raise PipelineError("no ratings", path, value, "give the images of the ratings (--images)")
    about = {"rows": ratings.read, "left_out": dict(sorted(ratings.left_out.items())), "ratings": len(ratings.rows)}
    return {**about, **_judged(study, units, ratings, read), "judges_left_out": blind}


def _sheets(study: Path, folder: Path) -> "Ratings":
    """The ratings on the study's own sheets."""
    from workflow_scripts.captions.labels.agreement import ratings_of
    from workflow_scripts.captions.labels.reading import images_on_sheets, read_labels
    from workflow_scripts.commands.label import captions_of
    from workflow_scripts.core.artifact import MANIFEST, Artifact

    keys, manifests = images_on_sheets(folder), sorted((study / "select_captions").glob(f"*{MANIFEST}"))
    arms = {path.name.removesuffix(MANIFEST): Artifact(path) for path in manifests}
    by_key = captions_of(arms, keys) if keys else {}
    captions = {(key, arm): text for key, texts in by_key.items() for arm, text in texts.items()}
    return ratings_of(read_labels(folder, list(arms), captions), captions)


def _usable(study: Path, folder: Path | None, ratings: "Ratings") -> "tuple[Ratings, Read]":
    """The ratings of images that can be read, and what reads one by its name; never a file outside the folder."""
    from PIL import Image

    from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
    from workflow_scripts.acquisition.annotations.rows import Apart
    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.core.images.decoding import UNDECODABLE, decode
    from workflow_scripts.core.shards import images_of_keys

    names = list(dict.fromkeys(row.image for row in ratings.rows))
    if folder is None:
        stored, at = images_of_keys(Artifact(study / "image_index" / f"images{MANIFEST}"), names)
        known = ratings.without({name: "not_in_study" for name in names if name not in at})
        return known, lambda name: stored.image(at[name])

    def read(name: str) -> Image.Image:
        return Image.fromarray(decode((folder / name).read_bytes()))

    files, faults = SourceFiles(folder, None), {}
    for name in names:
        found = files.image(name)
        if isinstance(found, Apart):
            faults[name] = str(found)
            continue
        try:
            read(name)
        except UNDECODABLE:
            faults[name] = "corrupt_image"
    return ratings.without(faults), read


@dataclass(frozen=True)
class _Pictures:
    """The images of ratings by row."""

    names: Sequence[str]
    read: "Read"

    def image(self, row: int) -> "Image.Image":
        return self.read(self.names[row])


def _judged(study: Path, units: "Units", ratings: "Ratings", read: "Read") -> dict[str, Any]:
    """Number of images, and the figures of each judge."""
    from functools import partial
    from tempfile import TemporaryDirectory

    import numpy as np
    import pyarrow as pa

    from workflow_scripts.captions.labels.agreement import figures, laid_out
    from workflow_scripts.captions.scores import Comparison, Scored, sampled, score_captions, texts_shown
    from workflow_scripts.core.images.reading import prepared
    from workflow_scripts.core.runtime.environment import check_device, resolve_device
    from workflow_scripts.core.runtime.precision import computing
    from workflow_scripts.stages.score_captions import JUDGES, STAGE

    device, layout, found = resolve_device(units.study.compute.device), laid_out(ratings.rows), {}
    check_device(device)
    count, values = len(layout.images), np.array([row.rating for row in ratings.rows])
    images = layout.places % count
    by_key = texts_shown(pa.chunked_array([layout.images]))
    seen = partial(prepared, _Pictures(layout.images, read), workers=units.study.compute.workers)
    with computing(STAGE.precision, device), TemporaryDirectory() as work:
        for judge in (judge for judge in units.study.judges if not JUDGES[judge.kind].by_reference):
            works = [Path(work, judge.name, str(arm)) for arm in range(len(layout.arms))]
            for folder in works:
                folder.mkdir(parents=True)
            shown = by_key if JUDGES[judge.kind].by_key else seen
            scored = Scored(shown, np.arange(count), layout.images, layout.arms, works)
            compared = Comparison(sampled(count, judge.seed), judge.others, judge.seed)
            load = partial(_load, study, units, judge, device)
            tables = score_captions(scored, compared, JUDGES[judge.kind].scores, judge.batch_size, load)
            found[judge.name] = figures(pa.concat_tables(tables).take(pa.array(layout.places)), values, images)
    return {"images": count, "judges": found}


def _load(study: Path, units: "Units", judge: "Judge", device: str) -> "Scorer":
    """The judge with the sources of the config, as the stage loads it."""
    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.core.declaration.kind_settings import settings_of
    from workflow_scripts.core.sources import resolve_source
    from workflow_scripts.stages.score_captions import FACTS, JUDGES

    kind, sources = JUDGES[judge.kind], {}
    for need in kind.needs:
        name = str(FACTS.sources[need]).format(judge=judge.name)
        manifest = study / "source" / f"{name}{MANIFEST}"
        made = Artifact(manifest) if manifest.exists() else None
        sources[need] = resolve_source(name, units.sources_by_name[name].at, made, study.parent)
    return kind.load(sources, device, settings_of(judge, kind))


def lines(found: dict[str, Any]) -> list[str]:
    """The table of judges for the terminal, below what was read and left out."""
    rows = [HEAD]
    for judge, scores in found["judges"].items():
        for score, kinds in scores.items():
            for kind, taus in kinds.items():
                shown = [_figure(one) for one in (taus["tau_b"], taus["tau_c"], taus["style_control"]["tau_c"])]
                rows.append([judge, score, kind, *shown, f"{taus['tau_b']['n']:,}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    left_out = f"; left out: {_counted(found['left_out'])}" if found["left_out"] else ""
    said = f"{found['ratings']:,} ratings of {found['images']:,} images, from {found['rows']:,} rows{left_out}"
    blind = [f"left out, since it sees no image: {name}" for name in found["judges_left_out"]]
    return [said, *blind, "", *table]


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    interval = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['value']:.3f}{interval}"


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
