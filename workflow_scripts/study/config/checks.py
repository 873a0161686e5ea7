"""Checks of references within a study: every name that is used must be defined exactly once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from typing import Any

from workflow_scripts.core.declaration.kind_settings import settings_of
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.evaluation.contrasts.comparisons import comparisons, groups
from workflow_scripts.evaluation.contrasts.settings import MOST_PRIMARY, Contrast, SummaryRun, Table
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.evaluation.saliency.maps.kinds import is_compared
from workflow_scripts.models.networks.settings import LAYOUTS
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.stages.source import WORLD
from workflow_scripts.study.config.errors import Path, SettingError, known, unused_settings
from workflow_scripts.study.config.runs import summarised, trainings
from workflow_scripts.study.config.sections import RESERVED_PAIRS, Judge, Study

SAME_CROP = 0.01  # of the side: shares of whole pixels differ by less where the crop is the same
NAMED = ("arms", "judges", "text_encoders", "image_encoders", "pairs", "networks", "datasets", "contrasts")
RESERVED = {"pairs": RESERVED_PAIRS, "datasets": ("mean",)}  # mean: of the summary's rows over all datasets
OWN_MATCHER = "kind {} in a study where recaption is null"
ENCODERS: Mapping[str, Mapping[str, Any]] = {"text_encoders": TEXT_ENCODERS, "image_encoders": IMAGE_ENCODERS}


def reference_errors(study: Study) -> Iterator[SettingError]:
    """Yield an error for each repeated, unknown or reserved name, and for what the study's items need or don't use."""
    named = (_names, _of_a_world, _indexes, _references)
    for check in (*named, _arms, _networks, _sources, _encoders, _judges, _crops):
        yield from check(study)


def _names(study: Study) -> Iterator[SettingError]:
    seen: dict[tuple[str, str], str] = {}
    for section in NAMED:
        # Both kinds of encoders share the names of their sources.
        space = "encoders" if section.endswith("encoders") else section
        for number, member in enumerate(getattr(study, section)):
            where = (section, number, "name")
            first = seen.setdefault((space, member.name), f"{section}.{number}")
            if first != f"{section}.{number}":
                value = f"{member.name}, already the name of {first}"
                yield SettingError("repeated name", where, value, "names are used in file names; give each its own")
            if member.name in RESERVED.get(section, ()):
                yield SettingError("reserved name", where, member.name, "choose another name")


def _indexes(study: Study) -> Iterator[SettingError]:
    """An error for each index that FAISS refuses; where FAISS isn't installed, the job reports it."""
    for number, table in enumerate(study.pairs):
        given = table.model_dump(include={"index", "index_parameters"})
        if given["index"] == type(table).model_fields["index"].default or find_spec("faiss") is None:
            continue
        from workflow_scripts.pairs.search.index import Index, check_index

        try:
            check_index(Index(given["index"], given["index_parameters"]))
        except PipelineError as error:
            yield SettingError(error.what, ("pairs", number, "index"), error.value, error.advice)


def _references(study: Study) -> Iterator[SettingError]:
    """An error for each name that refers to nothing, or to what it is compared with."""
    arms, judges, text, image, networks, datasets, tables = (
        [item.name for item in getattr(study, section)]
        for section in ("arms", "judges", "text_encoders", "image_encoders", "networks", "datasets", "pairs")
    )
    for number, arm in enumerate(study.arms):
        for key, name in arm.arms_read.items():
            yield from known(("arms", number, key), "arm", name, arms)
        yield from known(("arms", number, "judge"), "judge", arm.judge_read, judges)
    for number, judge in enumerate(study.judges):
        yield from known(("judges", number, "encoder"), "text encoder", judge.encoder, text)
        yield from known(("judges", number, "reference"), "arm", judge.reference, arms)
    for number, table in enumerate(study.pairs):
        yield from known(("pairs", number, "arm"), "arm", table.arm, arms)
        kind, encoders = ("text encoder", text) if table.arm else ("image encoder", image)
        yield from known(("pairs", number, "encoder"), kind, table.encoder, encoders)
    for number, run in enumerate(study.runs):
        kind, allowed = ("arm", arms) if METHODS[run.method].by_arm else ("pair table", [*tables, *RESERVED_PAIRS])
        yield from known(("runs", number, "pairs"), kind, run.pairs, allowed)
        yield from known(("runs", number, "network"), "network", run.network, networks)
    yield from known(("judge_comparison", "reference"), "arm", study.judge_comparison.reference, arms)
    labels = study.caption_labels
    for key in ("original", "replacement"):
        yield from known(("caption_labels", key), "arm", getattr(labels, key, None), arms)
    if labels is not None and labels.original == labels.replacement:
        where, advice = ("caption_labels", "replacement"), "give another arm; an arm has no margin over itself"
        yield SettingError("arm compared with itself", where, labels.replacement, advice)
    yield from known(("pair_quality", "image_encoder"), "image encoder", study.pair_quality.image_encoder, image)
    yield from known(("leakage", "encoder"), "image encoder", study.leakage.encoder, image)
    yield from known(("probe_dataset",), "dataset", study.probe_dataset, datasets)


def _of_a_world(study: Study) -> Iterator[SettingError]:
    """An error for each item that needs the demo's synthetic world, its labels or what its images show."""
    if study.demo_world is not None:
        return
    uses: dict[str, tuple[str, Callable[[Any], bool]]] = {
        "arms": ("kind", lambda arm: ARM_KINDS[arm.kind].from_world),
        "pairs": ("kind", lambda table: PAIR_KINDS[table.kind].needs_labels),
        "runs": ("method", lambda run: METHODS[run.method].labels),
        "datasets": ("kind", lambda dataset: KINDS[dataset.kind].from_world),
    }
    found: list[tuple[Path, str]] = []
    if study.annotations.source.at == WORLD:
        found.append((("annotations", "source"), WORLD))
    for section, (key, needs_world) in uses.items():
        items = enumerate(getattr(study, section))
        found += [((section, number, key), getattr(item, key)) for number, item in items if needs_world(item)]
    for where, value in found:
        yield SettingError("demo_world missing", where, value, "remove this, or add the section demo_world")


def _networks(study: Study) -> Iterator[SettingError]:
    """Errors of networks from elsewhere: missing where a method needs one, unused, or with useless seeds."""
    pretrained = [network.name for network in study.networks if network.weights == "pretrained"]
    for number, run in enumerate(study.runs):
        yield from _needed(("runs", number, "network"), run, METHODS[run.method].external, f"method {run.method}")
        if run.network in pretrained and run.seeds != (0,):
            advice = "remove seeds; all runs of a pretrained network are identical"
            yield SettingError("setting without effect", ("runs", number, "seeds"), list(run.seeds), advice)


def _sources(study: Study) -> Iterator[SettingError]:
    for number, arm in enumerate(study.arms):
        yield from _needed(("arms", number, "table"), arm, ARM_KINDS[arm.kind].from_file)
    for number, network in enumerate(study.networks):
        needed = network.weights == "pretrained" or LAYOUTS[network.layout].describes
        of = "random weights" if network.weights == "random" else f"layout {network.layout}"
        yield from _needed(("networks", number, "source"), network, needed, of)
    yield from _needed(("tokenizer", "source"), study.tokenizer, study.tokenizer.kind == "clip")
    for number, dataset in enumerate(study.datasets):
        yield from _needed(("datasets", number, "source"), dataset, not KINDS[dataset.kind].from_world)


def _needed(where: Path, item: Any, needed: bool | None, of: str = "") -> Iterator[SettingError]:
    """An error if an item lacks a setting that its kind needs, or has one that its kind doesn't read.

    Args:
        where: path of the setting.
        needed: None if the setting may be given or not, such as a model in place of the matcher of ``recaption``.
        of: what needs it, if not the kind.
    """
    key, given = where[-1], getattr(item, where[-1])
    of = of or f"kind {item.kind}"
    if needed and given is None:
        yield SettingError(f"missing {key}", where, "null", f"{of} needs one")
    elif given is not None and needed is False:
        yield SettingError(f"unused {key}", where, getattr(given, "at", given), f"remove it; {of} has none")


def _judges(study: Study) -> Iterator[SettingError]:
    kinds = {encoder.name: encoder.kind for encoder in study.text_encoders}
    for number, judge in enumerate(study.judges):
        kind, where = JUDGES[judge.kind], ("judges", number)
        yield from unused_settings(where, judge, JUDGES)
        own = (kind.own_model or study.recaption is None or None) if "model" in kind.needs else "table" in kind.needs
        of = OWN_MATCHER.format(judge.kind) if own and not kind.own_model and study.recaption is None else ""
        yield from _needed((*where, "source"), judge, own, of)
        yield from _needed((*where, "photos"), judge, "photos" in kind.needs)
        yield from _needed((*where, "encoder"), judge, "text" in kind.needs)
        yield from _needed((*where, "reference"), judge, kind.by_reference)
        encoder = kinds.get(judge.encoder or "")
        if encoder is not None and not TEXT_ENCODERS[encoder].judges:
            value, advice = f"{judge.encoder}, of kind {encoder}", "name a text encoder of kind sentence_transformers"
            yield SettingError("text encoder unfit for a judge", (*where, "encoder"), value, advice)


def _crops(study: Study) -> Iterator[SettingError]:
    """An error for each run that crops images unlike the first one, on sets with masks.

    Images whose object is cropped away are not scored, so such runs have different images and can't be paired.
    """
    masked = [dataset.name for dataset in study.datasets if dataset.evaluate and dataset.has_masks]
    crops = {network.name: network.view.size / network.view.side for network in study.networks}
    shares = [crops.get(run.network or "", study.evaluation.crop) for run in study.runs]
    for number, share in enumerate(shares):
        if masked and abs(share - shares[0]) > SAME_CROP:
            value = f"{share:.3f} of the side, and {shares[0]:.3f} in runs.0; masks in {', '.join(masked)}"
            what = "runs that crop images differently on a set with masks"
            advice = "give the networks the same crop, or evaluate them in a study of their own"
            yield SettingError(what, ("runs", number), value, advice)


def _arms(study: Study) -> Iterator[SettingError]:
    """Yield an error for each setting that the kind of an arm lacks, each missing model or score, and a cycle."""
    arms, judges = study.arms, {judge.name: judge for judge in study.judges}
    for number, arm in enumerate(arms):
        where, kind, judge = ("arms", number), ARM_KINDS[arm.kind], judges.get(arm.judge_read or "")
        yield from unused_settings(where, arm, ARM_KINDS)
        if study.recaption is None and kind.generated(settings_of(arm, kind)):
            advice = "fill in the section recaption, or remove this arm and what uses it"
            value = f"{arm.kind}, but recaption is null"
            yield SettingError("arm of generated captions without recaption", (*where, "kind"), value, advice)
        if judge is not None:
            yield from _score_errors(where, "score", judge, getattr(arm, "score", None), arm.arms_read.values())
            if judge.images is not None:
                value = f"{judge.name}, which scores {judge.images:,} images"
                advice = "choose by a judge that scores all images (images: null)"
                yield SettingError("judge without scores of all images", (*where, "judge"), value, advice)
    try:
        TopologicalSorter({arm.name: [name for _, name in study.arms_before(arm)] for arm in arms}).prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]  # each reads the next, and the last is the first
        arm = next(arm for arm in arms if arm.name == cycle[0])
        setting = next(setting for setting, name in study.arms_before(arm) if name == cycle[1])
        place, advice = ("arms", arms.index(arm), setting), "let one of them start from an arm that is not among them"
        yield SettingError("arms that start from each other", place, " > ".join(cycle), advice)


def _score_errors(
    where: Path, key: str, judge: Judge, score: str | None, arms: Collection[str | None]
) -> Iterator[SettingError]:
    """Yield an error for scores of some arms' captions that a judge does not give."""
    offered = JUDGES[judge.kind].scores
    if judge.reference is not None and judge.reference in arms:
        value = f"{judge.name} compares captions with those of {judge.reference}, so it has no score for them"
        advice = "give the judge another reference, or compare other arms"
        yield SettingError("judge without scores of an arm", (*where, "judge"), value, advice)
    if score is not None:
        yield from known((*where, key), "score", score, offered)
    elif len(offered) > 1:
        value = f"none for {judge.name}, which has {' and '.join(offered)}"
        yield SettingError("missing score", (*where, key), value, "name one of them")


def _encoders(study: Study) -> Iterator[SettingError]:
    """Yield an error for each encoder that lacks a source or a run, or has one without use."""
    for section, number, encoder in study.encoders():
        needs = ENCODERS[section][encoder.kind].needs
        own = (study.recaption is None or None) if needs == "matcher" else needs == "source"
        of = OWN_MATCHER.format(encoder.kind) if needs == "matcher" else ""
        yield from _needed((section, number, "source"), encoder, own, of)
        yield from _needed((section, number, "run"), encoder, needs == "run")
        for key in ("weights", "view"):
            if (given := getattr(encoder, key, None)) is not None:
                yield SettingError("unused setting", (section, number, key), given, "remove it; the workflow sets it")


def contrast_errors(study: Study) -> Iterator[SettingError]:
    """Yield errors of contrasts, and of the known orderings of networks, in a study without other errors."""
    runs = [SummaryRun.model_validate(run) for run in summarised(trainings(study))]
    pairs, where = {run.pairs for run in study.runs}, ("evaluation", "discrimination")
    for name in study.evaluation.discrimination.doses:
        yield from known((*where, "doses", name), "pairs of a run", name, pairs)
    for number, names in enumerate(study.evaluation.discrimination.stated):
        for name in names:
            path = (*where, "orderings", number)
            yield from known(path, "backbone or network of a run", name, {run.backbone for run in runs})
    primary = [number for number, contrast in enumerate(study.contrasts) if contrast.primary]
    for number in primary[MOST_PRIMARY:]:
        advice = f"a study has at most {MOST_PRIMARY}; make the others exploratory"
        yield SettingError("too many primary contrasts", ("contrasts", number, "primary"), str(len(primary)), advice)
    for number, contrast in enumerate(study.contrasts):
        if not contrast.of_runs:
            yield from _endpoint_errors(study, number, contrast)
            continue
        errors = list(_term_errors(number, contrast, runs))
        for side in () if contrast.terms else ("minuend", "subtrahend"):
            errors += known(("contrasts", number, side), "run's pairs", getattr(contrast, side), pairs)
        yield from errors
        if not errors and not any(comparisons([contrast], runs)):
            yield _no_row(number, contrast, runs)


def _endpoint_errors(study: Study, number: int, contrast: Contrast) -> Iterator[SettingError]:
    """Errors of a contrast that compares no runs: what its endpoint needs and the study lacks."""
    where: Path = ("contrasts", number)
    if contrast.endpoint == "pair_purity":
        if study.pair_quality.label is None or study.demo_world is None:
            advice = "set pair_quality.label; only a study with demo_world has labels"
            yield SettingError("purity of pairs without labels", (*where, "endpoint"), contrast.endpoint, advice)
        tables = [Table(pairs=one.name, arm=one.arm or "", encoder=one.encoder) for one in study.pairs]
        for at, (_, term) in enumerate(contrast.cells):
            if not any(term.matches(one) for one in tables):
                value = ", ".join(filter(None, (term.pairs, term.arm, term.encoder))) or "any"
                place = (*where, "terms", at) if contrast.terms else (*where, ("minuend", "subtrahend")[at])
                yield SettingError("term without pair tables", place, value, "name pairs, an arm or an encoder of them")
    elif contrast.endpoint == "orderings":
        metric = contrast.metric or SALIENCY
        if not any(dataset.evaluate and dataset.has_masks for dataset in study.datasets):
            advice = "add a dataset with masks, which is evaluated"
            yield SettingError("saliency without masks", (*where, "endpoint"), contrast.endpoint, advice)
        if not (metric.startswith("saliency.") and is_compared(metric)):
            advice = f"name a saliency metric of the networks' own maps, such as {SALIENCY}"
            yield SettingError("unknown metric", (*where, "metric"), metric, advice)
    else:
        yield from _judged_errors(study, where, contrast)


def _judged_errors(study: Study, where: Path, contrast: Contrast) -> Iterator[SettingError]:
    """Errors of a contrast by a judge."""
    judges, arms = {judge.name: judge for judge in study.judges}, [arm.name for arm in study.arms]
    named: dict[Path, str | None] = {("terms", at, "arm"): term.arm for at, term in enumerate(contrast.terms)}
    named |= {(side,): getattr(contrast, side) for side in ("minuend", "subtrahend")}
    for place, arm in named.items():
        yield from known((*where, *place), "arm", arm, arms)
    replaced = study.replaced_arm
    if contrast.endpoint == "flips" and (contrast.subtrahend != replaced or contrast.minuend == replaced):
        of = "those of judge_comparison.reference" if study.judge_comparison.reference else "the original captions"
        advice = f"judges choose between an arm (minuend) and {of}, {replaced or 'which it lacks'}"
        place = (*where, "subtrahend")
        yield SettingError("captions between which no judge chooses", place, contrast.subtrahend, advice)
    yield from known((*where, "judge"), "judge", contrast.judge or "", judges)
    if (judge := judges.get(contrast.judge or "")) is None:
        return
    kind = JUDGES[judge.kind]
    if contrast.endpoint == "caption_score" and "model" in kind.needs and not kind.own_model:
        value = f"{judge.name}, of kind {judge.kind}"
        advice = "name a judge of another family than the captioner, which may prefer its own captions"
        yield SettingError("judge of the captioner's family", (*where, "judge"), value, advice)
    yield from _score_errors(where, "metric", judge, contrast.metric, named.values())


def _no_row(number: int, contrast: Contrast, runs: Sequence[SummaryRun]) -> SettingError:
    """Why a contrast whose terms all have runs compares none."""
    if any(groups(contrast, runs)):
        value, advice = "no step that all of its runs have", "add a step that they all keep to evaluation.steps"
        return SettingError("contrast without an evaluated step", ("contrasts", number), value, advice)
    axes = [*(axis for axis in contrast.rows_per if axis != "augmentation" or contrast.terms), "tag"]
    value = f"its sides have no {' and '.join(axes)} in common"
    return SettingError("contrast without runs", ("contrasts", number), value, "add runs that agree in these")


def _term_errors(number: int, contrast: Contrast, runs: Sequence[SummaryRun]) -> Iterator[SettingError]:
    """Errors of terms that match no run, or whose step none of their runs has."""
    for at, term in enumerate(contrast.terms):
        steps = dict.fromkeys(step for run in runs if term.matches(run) for step in run.steps)
        if not any(term.matches(run) for run in runs):
            found = [axis for axis in ("method", "pairs", "augmentation", "tag", "arm") if term.fixes(axis)]
            value = ", ".join(f"{axis} {getattr(term, axis) or '(none)'}" for axis in found)
            where, advice = ("contrasts", number, "terms", at), "no run has all of these; correct them or add runs"
            yield SettingError("term without runs", where, value, advice)
        elif term.step is not None:
            yield from known(("contrasts", number, "terms", at, "step"), "evaluated step", term.step, steps)
