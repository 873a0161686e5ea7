"""Checks sources that the jobs will read: files, models, packages, images, annotations; and the lock of models."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.errors import PipelineError, one_line
from workflow_scripts.core.sources import HUB, PACKAGE, TORCHVISION
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.models.text.caption_tokenizer import CLIP_ADVICE, CLIP_FILES
from workflow_scripts.stages.source import Source
from workflow_scripts.study.config.files import shown
from workflow_scripts.study.config.lock import is_commit
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.preflight.findings import Finding, Start

LFS = b"version https://git-lfs"
# Roles of folders as save_pretrained writes them.
MODELS = ("captioner", "matcher", "judgetext")
FOLDERS = (*MODELS, "tokenizer", "judge", "judgephotos", "labels", "dataset")


def source_findings(start: Start) -> Iterator[Finding]:
    """Problems with the sources that the jobs hash or read, each once for all sources at the same place."""
    found: dict[tuple[str, str], list[tuple[str, Finding]]] = {}
    for name, source, certain in start.sources():
        error = None if source.is_url else _source_error(name, source, start)
        if error is not None:
            found.setdefault((source.at, str(error.value)), []).append((name, Finding(error, certain)))
    for same in found.values():
        (first, *more), error = [name for name, _ in same], same[0][1].error
        what = f"{error.what} {first}" + (f" (also {', '.join(more)})" if more else "")
        error = PipelineError(what, error.where, error.value, error.advice)
        yield Finding(error, any(finding.certain for _, finding in same))


def import_findings(start: Start) -> Iterator[Finding]:
    """Missing folders of images to import."""
    for wanted in start.units.study.download.imports if "download" in start.stages else ():
        error = _path_error("images to import", Path(wanted.source), folder=True)
        if error is not None:
            yield Finding(error, start.computes("download"))


def _source_error(name: str, source: Source, start: Start) -> PipelineError | None:
    """What is wrong with a source, whose name is to be appended to ``what`` of the error."""
    role, _, member = name.partition("-")
    if source.at.startswith(HUB):
        return _hub_error(source.at)
    if source.at.startswith(PACKAGE):
        module, _, inner = source.at.removeprefix(PACKAGE).partition("/")
        if not start.own_python:
            return None
        try:
            found = find_spec(module)
        except (ImportError, ValueError):  # a parent package is missing, or the name is invalid
            found = None
        if found is None or not found.submodule_search_locations:
            return PipelineError("missing Python package of source", source.at, module, f"pip install {module}")
        path = Path(found.submodule_search_locations[0]) / inner
    else:
        path = Path(source.at.removeprefix(TORCHVISION))
        if source.torchvision and not os.path.exists(path):
            return None  # torchvision downloads it
    saved = role in MODELS or (role in ("judge", "encoder") and _is_saved(role, member, start))
    error = _path_error("source", path, folder=saved or role in FOLDERS) or (_model_error(path) if saved else None)
    if error is not None:
        return error
    if role == "tokenizer" and not any(all((path / name).is_file() for name in group) for group in CLIP_FILES):
        wanted = " nor ".join(" and ".join(group) for group in CLIP_FILES)
        return PipelineError("no tokenizer in source", path, f"neither {wanted}", CLIP_ADVICE)
    needed = dict.fromkeys(source.expect, "fetch it again; the config expects that file")
    if role == "dataset":
        kind = start.units.item("datasets", member).kind
        needed |= dict.fromkeys(KINDS[kind].contains, f"kind {kind} needs it; see docs/your-own-data.md")
        if kind == "folders" and path.is_dir():
            from workflow_scripts.evaluation.datasets.folder_sets import look

            try:
                look(path)
            except PipelineError as none:
                return PipelineError(f"{none.what} in source", path, none.value, none.advice)
    missing = (file for file in needed if not os.path.exists(path / file))
    return next((PipelineError("incomplete source", path, f"no {file}", needed[file]) for file in missing), None)


def _is_saved(role: str, name: str, start: Start) -> bool:
    """Whether the model of a judge or an encoder is a folder as save_pretrained writes it."""
    if role == "encoder":
        kind = next((one.kind for one in start.units.study.text_encoders if one.name == name), None)
        return kind is None or TEXT_ENCODERS[kind].saved
    settings = start.units.item("judges", name).model_dump()
    return settings.get("classifier", "transformers") == "transformers"


def _path_error(what: str, path: Path, folder: bool) -> PipelineError | None:
    advice = "correct the path in the config, or put it there"
    if str(path).startswith("~"):
        advice = f"~ is not expanded: write the full path, {os.path.expanduser(path)}"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        value = f"a link to {os.readlink(path)}, which does not exist" if path.is_symlink() else "nothing there"
        return PipelineError(f"missing {what}", path, value, advice)
    except (OSError, ValueError) as error:
        return PipelineError(f"unreadable {what}", path, getattr(error, "strerror", None) or error, advice)
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        return PipelineError(f"wrong {what}", path, "neither a file nor a folder", advice)
    if folder and not path.is_dir():
        return PipelineError(f"wrong {what}", path, "a file", "give a folder")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        return PipelineError(f"unreadable {what}", path, "no permission to read", "change its permissions")
    if path.is_dir() and not any(path.iterdir()):
        return PipelineError(f"empty {what}", path, "no files", advice)
    return None


def _model_error(path: Path) -> PipelineError | None:
    """An error for a folder that transformers or sentence-transformers can't load: no config, or no weights."""
    advice = "give a folder written by save_pretrained, with safetensors weights"
    if not (path / "config.json").is_file() and not (path / "modules.json").is_file():
        return PipelineError("no model in source", path, "no config.json", advice)
    weights = sorted([*path.glob("*.safetensors"), *path.glob("*/*.safetensors")])
    if not weights:
        return PipelineError("no weights in source", path, "no *.safetensors", advice)
    for file in weights:
        with open(file, "rb") as stream:
            if stream.read(len(LFS)) == LFS:
                value = f"{file.name} is a Git LFS pointer"
                return PipelineError("no weights in source", path, value, "download the weights: git lfs pull")
    return None


def _hub_error(wanted: str) -> PipelineError | None:
    """A hub model with an impossible name, or that is not on this disk in offline mode.

    Whether others can be fetched is found out later.
    """
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    repository, _, revision = wanted.removeprefix(HUB).partition("@")
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        return PipelineError("wrong name of source", wanted, one_line(str(error))[:100], "correct it in the config")
    if not constants.HF_HUB_OFFLINE:
        return None
    if isinstance(try_to_load_from_cache(repository, "config.json", revision=revision or None), str):
        return None
    advice = "unset HF_HUB_OFFLINE, download it first, or give a local folder"
    return PipelineError("missing source", wanted, "not on this disk, and HF_HUB_OFFLINE is set", advice)


def annotation_findings(start: Start) -> Iterator[Finding]:
    """Problems with the rows that the jobs will read; missing or unreadable sources are found elsewhere."""
    hashed = any(job.unit.get("source") == "annotations" for job in start.jobs if job.stage == "source")
    path = _annotations(start)
    if path is None or not (hashed or "annotations" in start.stages):
        return
    from workflow_scripts.acquisition.annotations.preview import look

    found = look(path, start.units.study.annotations)
    if found is not None:
        error, certain = found
        yield Finding(error, certain and (hashed or start.computes("annotations")))


def _annotations(start: Start) -> Path | None:
    """The annotations if they are here and can be read."""
    source = start.units.sources_by_name.get("annotations")
    if source is None or source.is_url or source.at.startswith((HUB, PACKAGE)) or not start.own_python:
        return None
    path = Path(source.at)
    can_read = os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)) and (path.is_dir() or path.is_file())
    return path if can_read else None


def batch_findings(start: Start) -> Iterator[Finding]:
    """Batches of more images than there are, if these can be counted quickly."""
    runs = {job.unit["run"] for job in start.jobs if job.stage == "pretrain"}
    trainings = {run: start.units.trainings[run].settings for run in sorted(runs)}
    batches = {how.batch_size: run for run, how in trainings.items() if how.trains and how.pairs != "labels"}
    known = None
    with suppress(PipelineError):  # the other checks, or jobs, have it
        known = counted_images(start) if batches else None
    if known is None:
        return
    images, certain = known
    batch, run = max(batches.items())
    if 0 < images < batch:
        value = f"batch_size is {batch:,}, but there are at most {images:,} images"
        error = PipelineError("too few images", f"settings of run {run}", value, "lower batch_size or add images")
        yield Finding(error, certain)


def counted_images(start: Start) -> tuple[int, bool] | None:
    """How many there are at most, if that is known or quickly counted, and whether it is certain."""
    made = start.folder / "image_index" / f"images{MANIFEST}"
    if ("image_index", "images") not in start.running and made.exists():
        return int(Artifact(made).rows["out"]), True
    path = _annotations(start)
    if path is None or "annotations" not in start.stages:
        return None
    from workflow_scripts.acquisition.annotations.preview import images_of

    images = images_of(path, start.units.study.annotations)
    return None if images is None else (len(images), start.computes("annotations"))


def caption_findings(start: Start) -> Iterator[Finding]:
    """Problems with the files of captions that the jobs will read, of which large ones are read in part."""
    for name, source, certain in start.sources() if start.own_python else ():
        arm = next((one for one in start.units.study.arms if f"captions-{one.name}" == name), None)
        path = Path(source.at)
        if arm is None or source.is_url or not path.is_file() or not os.access(path, os.R_OK):
            continue
        try:
            error, sure = _captions_error(start.units.study, path, arm.model_dump()["max_missing_share"])
        except PipelineError as unreadable:
            error, sure = unreadable, True
        if error is not None:
            yield Finding(error, certain and sure)


def _captions_error(study: Study, path: Path, most_missing: float) -> tuple[PipelineError | None, bool]:
    """What is wrong with a file of captions, and whether it is certain: a download may lose images without one."""
    from workflow_scripts.acquisition.annotations.preview import MOST_ROWS, images_of
    from workflow_scripts.captions.arms.external import no_match
    from workflow_scripts.captions.caption_file import read_captions
    from workflow_scripts.models.text_norms import is_blank

    found = list(islice(read_captions(path), MOST_ROWS + 1))
    rows, images = study.annotations, None
    if len(found) <= MOST_ROWS and os.path.exists(rows.source.at):
        with suppress(PipelineError):  # annotation_findings has it
            images = images_of(Path(rows.source.at), rows)
    if not images or most_missing == 1:
        return None, False
    keys = dict.fromkeys(key for key, _ in found if key)
    if keys and not images.keys() & keys.keys():
        return no_match(path, next(iter(keys)), min(images)), True
    missing = images.keys() - {key for key, texts in found if any(text and not is_blank(text) for text in texts)}
    if not missing:
        return None, False
    example = min(images[key] or key for key in missing)
    value = f"{len(missing)} of {len(images)} images have none, such as {example}; {most_missing:.2%} are allowed"
    if len(missing) > most_missing * len(images):
        advice = "complete it, or raise the arm's max_missing_share"
        advice += "" if study.common_images else " and set common_images: true"
        return PipelineError("missing captions", path, value, advice), all(images.values())
    advice = "complete it, or set common_images: true; otherwise runs with other captions learn from more images"
    if study.common_images:
        advice = "complete it, or go on: since common_images is true, no run takes them as sources of pairs"
    return PipelineError("missing captions", path, value, advice), False


def lock_findings(start: Start) -> Iterator[Finding]:
    """A warning about hub models without a commit."""
    if start.lock_file is None:
        return
    sources = [(name, source.at) for name, source, _ in start.sources() if source.at.startswith(HUB)]
    loose = [f"{at} ({name})" for name, at in sources if not is_commit(at.partition("@")[2])]
    if loose:
        advice = "to record their commits, run faithful-pairs lock with the same config files"
        error = PipelineError("missing lock", shown(start.lock_file), f"{', '.join(loose)} can change", advice)
        yield Finding(error, False)


SOURCE_CHECKS = (source_findings, lock_findings, annotation_findings, batch_findings, caption_findings, import_findings)
