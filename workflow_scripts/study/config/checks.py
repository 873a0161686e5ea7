"""Checks of references within a study: every name that is used must be defined exactly once."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from workflow_scripts.core.declaration.kind_settings import settings_of
from workflow_scripts.core.declaration.result_names import SALIENCY
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.embeddings.text_encoders import TEXT_ENCODERS
from workflow_scripts.evaluation.contrasts.comparisons import comparisons, groups
from workflow_scripts.evaluation.contrasts.settings import MOST_PRIMARY, Contrast, SummaryRun, Table
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.evaluation.saliency.maps.kinds import is_compared
from workflow_scripts.models.networks.settings import LAYOUTS
from workflow_scripts.models.text.kinds import TOKENIZERS
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.stages.select_captions import ARM_KINDS
from workflow_scripts.stages.source import WORLD
from workflow_scripts.study.config.errors import Path, SettingError, known, one_of, unused_settings
from workflow_scripts.study.config.runs import summarised, trainings
from workflow_scripts.study.config.sections import RESERVED_PAIRS, Arm, Judge, Study

SAME_CROP = 0.01  # of the side: shares of whole pixels differ by less where the crop is the same
RESERVED = {"pairs": RESERVED_PAIRS, "datasets": ("mean",)}  # mean: of the summary's rows over all datasets
OWN_MATCHER = "kind {} in a study where recaption is null"
ENCODERS: Mapping[str, Mapping[str, Any]] = {"text_encoders": TEXT_ENCODERS, "image_encoders": IMAGE_ENCODERS}


def reference_errors(study: Study) -> Iterator[SettingError]:
    """Yield an error for each repeated, unknown or reserved name; its place is a path like ``("pairs", 2, "arm")``."""
    yield from _names(study)
    yield from arm_errors(study)
    yield from judged_arm_errors(study)
    yield from _pairs_and_runs(study)
    yield from _sources(study)
    yield from encoder_errors(study)
    yield from _judges(study)
    yield from _objects(study)
    yield from _leakage(study)
    yield from _crops(study)


def _names(study: Study) -> Iterator[SettingError]:
    seen: dict[tuple[str, str], str] = {}
    sections: dict[str, Sequence[Any]] = {
        "arms": study.arms,
        "judges": study.judges,
        "text_encoders": study.text_encoders,
        "image_encoders": study.image_encoders,
        "pairs": study.pairs,
        "networks": study.networks,
        "datasets": study.datasets,
        "contrasts": study.contrasts,
    }
    for section, members in sections.items():
        # Both kinds of encoders share the names of their sources.
        space = "encoders" if section.endswith("encoders") else section
        for number, member in enumerate(members):
            where = (section, number, "name")
            first = seen.setdefault((space, member.name), f"{section}.{number}")
            if first != f"{section}.{number}":
                value = f"{member.name}, already the name of {first}"
                yield SettingError("repeated name", where, value, "names are used in file names; give each its own")
            if member.name in RESERVED.get(section, ()):
                yield SettingError("reserved name", where, member.name, "choose another name")


def _pairs_and_runs(study: Study) -> Iterator[SettingError]:
    arms = [arm.name for arm in study.arms]
    text = [encoder.name for encoder in study.text_encoders]
    image = [encoder.name for encoder in study.image_encoders]
    for number, table in enumerate(study.pairs):
        if table.arm is not None:
            yield from known(("pairs", number, "arm"), "arm", table.arm, arms)
        kind, encoders = ("text encoder", text) if table.arm else ("image encoder", image)
        yield from known(("pairs", number, "encoder"), kind, table.encoder, encoders)
        if PAIR_KINDS[table.kind].needs_labels and study.demo_world is None:
            advice = "remove this pair table; only a study with demo_world has labels"
            yield SettingError("pairs without labels", ("pairs", number, "kind"), table.kind, advice)
    for number, run in enumerate(study.runs):
        tables = [*(pairs.name for pairs in study.pairs), *RESERVED_PAIRS]
        kind, allowed = ("arm", arms) if METHODS[run.method].by_arm else ("pair table", tables)
        yield from known(("runs", number, "pairs"), kind, run.pairs, allowed)
        yield from _network(study, number)
        if METHODS[run.method].labels and study.demo_world is None:
            advice = "remove this run; only a study with demo_world has labels"
            yield SettingError("run without labels", ("runs", number, "method"), run.method, advice)
    if study.caption_labels is not None:
        for name in ("original", "replacement"):
            yield from known(("caption_labels", name), "arm", getattr(study.caption_labels, name), arms)
        if study.caption_labels.original == study.caption_labels.replacement:
            advice = "give another arm; an arm has no margin over itself"
            path = ("caption_labels", "replacement")
            yield SettingError("arm compared with itself", path, study.caption_labels.replacement, advice)
    if study.pair_quality.image_encoder is not None:
        yield from known(("pair_quality", "image_encoder"), "image encoder", study.pair_quality.image_encoder, image)
    if study.probe_dataset is not None:
        datasets = [dataset.name for dataset in study.datasets]
        yield from known(("probe_dataset",), "dataset", study.probe_dataset, datasets)


def _network(study: Study, number: int) -> Iterator[SettingError]:
    """Errors of a run's network: missing where its method needs one, unknown, unused, or with useless seeds."""
    run, where = study.runs[number], ("runs", number, "network")
    networks = {one.name: one for one in study.networks}
    if not METHODS[run.method].external:
        if run.network is not None:
            yield SettingError("unused network", where, run.network, f"remove it; method {run.method} has none")
        return
    if run.network is None:
        yield SettingError(
            "missing network", where, "null", f"name one of networks: {', '.join(networks) or 'none yet'}"
        )
        return
    yield from known(where, "network", run.network, networks)
    if run.network in networks and networks[run.network].weights == "pretrained" and run.seeds != (0,):
        advice = "remove seeds; all runs of a pretrained network are identical"
        yield SettingError("setting without effect", ("runs", number, "seeds"), list(run.seeds), advice)


def _sources(study: Study) -> Iterator[SettingError]:
    used = {run.network for run in study.runs}
    for number, network in enumerate(study.networks):
        if network.name not in used:
            advice = "remove it, or add a run of method external that uses it"
            yield SettingError("unused network", ("networks", number, "name"), network.name, advice)
        needed = network.weights == "pretrained" or LAYOUTS[network.layout].describes
        of = "random weights" if network.weights == "random" else f"layout {network.layout}"
        yield from _needed(("networks", number, "source"), network, needed, of)
    yield from _needed(("tokenizer", "source"), study.tokenizer, TOKENIZERS[study.tokenizer.kind].load is not None)
    for number, dataset in enumerate(study.datasets):
        yield from _needed(("datasets", number, "source"), dataset, not KINDS[dataset.kind].from_world)
    if study.demo_world is None:
        places: list[Path] = [("annotations", "source")] if study.annotations.source.at == WORLD else []
        places += [
            ("datasets", n, "kind") for n, dataset in enumerate(study.datasets) if KINDS[dataset.kind].from_world
        ]
        for place in places:
            advice = "add the section demo_world, or name a source"
            yield SettingError("source world without a demo_world", place, "demo_world is null", advice)


def _needed(where: Path, item: Any, needed: bool | None, of: str = "") -> Iterator[SettingError]:
    """An error if an item lacks a setting that its kind needs, or has one that its kind doesn't read.

    Args:
        where: path of the setting.
        needed: None if the setting may be given or not.
        of: what needs it, if not the kind.
    """
    key, given, of = where[-1], getattr(item, where[-1]), of or f"kind {item.kind}"
    if needed and given is None:
        value = f"none for {getattr(item, 'name', 'the tokenizer')}"
        yield SettingError(f"missing {key}", where, value, f"{of} needs one")
    elif given is not None and needed is False:
        yield SettingError(f"unused {key}", where, getattr(given, "at", given), f"remove it; {of} has none")


def _without_matcher(study: Study) -> Literal[True] | None:
    """Whether what can use the matcher of ``recaption`` needs a model of its own; None: it may have one."""
    return True if study.recaption is None else None


def _judges(study: Study) -> Iterator[SettingError]:
    encoders, arms = ([one.name for one in items] for items in (study.text_encoders, study.arms))
    if study.judge_comparison.reference is not None:
        yield from known(("judge_comparison", "reference"), "arm", study.judge_comparison.reference, arms)
    named = {"encoder": ("text encoder", encoders), "reference": ("arm", arms)}
    for number, judge in enumerate(study.judges):
        kind, where = JUDGES[judge.kind], ("judges", number)
        yield from unused_settings(where, judge, JUDGES)
        own = (kind.own_model or _without_matcher(study)) if "model" in kind.needs else "table" in kind.needs
        of = OWN_MATCHER.format(judge.kind) if own and not kind.own_model and study.recaption is None else ""
        yield from _needed((*where, "source"), judge, own, of)
        yield from _needed((*where, "photos"), judge, "photos" in kind.needs)
        for key, needed in (("encoder", "text" in kind.needs), ("reference", kind.by_reference)):
            yield from _needed((*where, key), judge, needed)
            if needed and getattr(judge, key) is not None:
                yield from known((*where, key), named[key][0], getattr(judge, key), named[key][1])


def _objects(study: Study) -> Iterator[SettingError]:
    """An error for names of objects where the objects of no image are known."""
    given = study.caption_quality
    if given.synonyms is not None and given.objects is None and study.demo_world is None:
        advice = "remove it, or say which objects are in the images (caption_quality.objects)"
        yield SettingError("unused synonyms", ("caption_quality", "synonyms"), given.synonyms.at, advice)


def _leakage(study: Study) -> Iterator[SettingError]:
    """An error for an unknown encoder, or for a limit of cosines where no vectors are compared."""
    given = study.leakage
    if given.encoder is not None:
        yield from known(("leakage", "encoder"), "image encoder", given.encoder, [e.name for e in study.image_encoders])
    elif given.cosine != type(given)().cosine:
        advice = "remove it, or name one of image_encoders in leakage.encoder"
        yield SettingError("setting without effect", ("leakage", "cosine"), given.cosine, advice)


def _crops(study: Study) -> Iterator[SettingError]:
    """An error for each run that crops images unlike the first one, on sets with masks.

    Images whose object is cropped away are not scored, so such runs have different images and can't be paired.
    """
    masked = [dataset.name for dataset in study.datasets if dataset.evaluate and dataset.has_masks]
    views = {network.name: network.view for network in study.networks}
    shares = [
        views[run.network].size / views[run.network].side if run.network in views else study.evaluation.crop
        for run in study.runs
    ]
    for number, share in enumerate(shares):
        if masked and abs(share - shares[0]) > SAME_CROP:
            value = f"{share:.3f} of the side, and {shares[0]:.3f} in runs.0; masks in {', '.join(masked)}"
            where, what = ("runs", number), "runs that crop images differently on a set with masks"
            yield SettingError(
                what, where, value, "give the networks the same crop, or evaluate them in a study of their own"
            )


def arm_errors(study: Study) -> Iterator[SettingError]:
    """Yield an error for each setting that is missing or that the kind lacks, unknown arm, and cycle of arms."""
    arms, names = study.arms, [arm.name for arm in study.arms]
    for number, arm in enumerate(arms):
        yield from _needed(("arms", number, "table"), arm, ARM_KINDS[arm.kind].from_file)
        yield from unused_settings(("arms", number), arm, ARM_KINDS)
        if ARM_KINDS[arm.kind].from_world and study.demo_world is None:
            advice = "remove this arm; only a study with demo_world knows what its images show"
            yield SettingError("arm of a world without a demo_world", ("arms", number, "kind"), arm.kind, advice)
        if study.recaption is None and ARM_KINDS[arm.kind].generated(settings_of(arm, ARM_KINDS[arm.kind])):
            advice = "fill in the section recaption, or remove this arm and what uses it"
            value = f"{arm.kind}, but recaption is null"
            yield SettingError("arm of generated captions without recaption", ("arms", number, "kind"), value, advice)
        for setting, name in arm.arms_read.items():
            yield from known(("arms", number, setting), "arm", name, names)
    for cycle in _cycles({arm.name: [name for _, name in study.arms_before(arm)] for arm in arms}):
        number = names.index(cycle[0])
        setting = next(setting for setting, name in study.arms_before(arms[number]) if name == cycle[1])
        advice = "let one of them start from an arm that is not among them"
        yield SettingError("arms that start from each other", ("arms", number, setting), " > ".join(cycle), advice)


def _cycles(reads: dict[str, list[str]]) -> Iterator[list[str]]:
    """Names of arms of which each reads the next and the last is the first, one list per cycle."""
    while True:
        try:
            TopologicalSorter(reads).prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1][::-1]
            yield cycle
            reads = {name: others for name, others in reads.items() if name not in cycle}
        else:
            return


def judged_arm_errors(study: Study) -> Iterator[SettingError]:
    """Yield an error for each judge or score that can't choose an arm."""
    judges = {judge.name: judge for judge in study.judges}
    for number, arm in enumerate(study.arms):
        name = arm.judge_read
        if name in judges:
            yield from _scores(("arms", number), arm, judges[name])
        elif name is not None:
            yield from known(("arms", number, "judge"), "judge", name, judges)


def _scores(where: Path, arm: Arm, judge: Judge) -> Iterator[SettingError]:
    wanted = getattr(arm, "score", None)
    offered = JUDGES[judge.kind].scores
    if wanted is not None and wanted not in offered:
        yield SettingError("unknown score", (*where, "score"), wanted, one_of(wanted, offered))
    reference = getattr(judge, "reference", None)
    if reference in arm.arms_read.values():
        value = f"{judge.name} compares captions with those of {reference}, so it has no score for them"
        advice = "give the judge another reference, or compare other arms"
        yield SettingError("judge without scores of an arm", (*where, "judge"), value, advice)
    if len(offered) > 1 and wanted is None:
        value = f"none for {judge.name}, which has {' and '.join(offered)}"
        yield SettingError("missing score", (*where, "score"), value, "name one of them")
    if judge.images is not None:
        value = f"{judge.name}, which scores {judge.images:,} images"
        advice = "choose by a judge that scores all images (images: null)"
        yield SettingError("judge without scores of all images", (*where, "judge"), value, advice)


def encoder_errors(study: Study) -> Iterator[SettingError]:
    """Yield an error for each encoder that lacks a source or a run, or has one without use."""
    for section, number, encoder in study.encoders():
        needs = ENCODERS[section][encoder.kind].needs
        own = _without_matcher(study) if needs == "matcher" else needs == "source"
        of = OWN_MATCHER.format(encoder.kind) if needs == "matcher" else ""
        yield from _needed((section, number, "source"), encoder, own, of)
        yield from _needed((section, number, "run"), encoder, needs == "run")
        if needs != "run" and getattr(encoder, "checkpoint", "last") != "last":
            advice = f"remove it; kind {encoder.kind} has none"
            yield SettingError("unused checkpoint", (section, number, "checkpoint"), encoder.checkpoint, advice)
        for key in ("weights", "view"):
            if (given := getattr(encoder, key, None)) is not None:
                yield SettingError("unused setting", (section, number, key), given, "remove it; the workflow sets it")
    kinds = {encoder.name: encoder.kind for encoder in study.text_encoders}
    for number, judge in enumerate(study.judges):
        kind = kinds.get(judge.encoder or "")
        if kind is not None and not TEXT_ENCODERS[kind].judges:
            usable = [name for name, kind in kinds.items() if TEXT_ENCODERS[kind].judges]
            advice = f"name a text encoder of kind sentence_transformers: {', '.join(usable) or 'none yet'}"
            value = f"{judge.encoder}, of kind {kind}"
            yield SettingError("text encoder unfit for a judge", ("judges", number, "encoder"), value, advice)


def contrast_errors(study: Study, sound: bool) -> Iterator[SettingError]:
    """Yield errors of contrasts, and of the known orderings of networks.

    Args:
        sound: whether arms, pairs and runs, with their settings and steps, have no errors; if they have, only the
            names of pairs are checked.
    """
    stated = study.evaluation.discrimination.stated
    for name in study.evaluation.discrimination.doses:
        path = ("evaluation", "discrimination", "doses", name)
        yield from known(path, "pairs of a run", name, {run.pairs for run in study.runs})
    runs = _runs(study) if sound and (study.contrasts or stated) else []
    for number, name in [(number, name) for number, pair in enumerate(stated) for name in pair if sound]:
        where = ("evaluation", "discrimination", "orderings", number)
        yield from known(where, "backbone or network of a run", name, {run.backbone for run in runs})
    primary = [number for number, contrast in enumerate(study.contrasts) if contrast.primary]
    for number in primary[MOST_PRIMARY:]:
        advice = f"a study has at most {MOST_PRIMARY}; make the others exploratory"
        yield SettingError("too many primary contrasts", ("contrasts", number, "primary"), str(len(primary)), advice)
    for number, contrast in enumerate(study.contrasts):
        if not contrast.of_runs:
            yield from _endpoint_errors(study, number, contrast)
            continue
        errors = list(_side_errors(number, contrast, {run.pairs for run in study.runs}))
        if sound:
            errors += _term_errors(number, contrast, runs)
        yield from errors
        if sound and not errors and not any(comparisons([contrast], runs)):
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
        if arm is not None:
            yield from known((*where, *place), "arm", arm, arms)
    replaced = study.replaced_arm
    if contrast.endpoint == "flips" and (contrast.subtrahend != replaced or contrast.minuend == replaced):
        of = "those of judge_comparison.reference" if study.judge_comparison.reference else "the original captions"
        advice = f"judges choose between an arm (minuend) and {of}, {replaced or 'which it lacks'}"
        place = (*where, "subtrahend")
        yield SettingError("captions between which no judge chooses", place, contrast.subtrahend, advice)
    name = contrast.judge or ""
    if name not in judges:
        yield from known((*where, "judge"), "judge", name, judges)
        return
    judge = judges[name]
    kind = JUDGES[judge.kind]
    if contrast.endpoint == "caption_score" and "model" in kind.needs and not kind.own_model:
        value = f"{judge.name}, of kind {judge.kind}"
        advice = "name a judge of another family than the captioner, which may prefer its own captions"
        yield SettingError("judge of the captioner's family", (*where, "judge"), value, advice)
    if judge.reference is not None and judge.reference in named.values():
        value = f"{judge.name} compares captions with those of {judge.reference}, so it has no score for them"
        advice = "give the judge another reference, or compare other arms"
        yield SettingError("judge without scores of an arm", (*where, "judge"), value, advice)
    if contrast.metric is not None and contrast.metric not in kind.scores:
        yield SettingError("unknown score", (*where, "metric"), contrast.metric, one_of(contrast.metric, kind.scores))
    elif contrast.metric is None and len(kind.scores) > 1:
        value = f"none for {judge.name}, which has {' and '.join(kind.scores)}"
        yield SettingError("missing score", (*where, "metric"), value, "name one of them")


def _runs(study: Study) -> list[SummaryRun]:
    """The runs as the summary has them."""
    return [SummaryRun.model_validate(one) for one in summarised(trainings(study))]


def _no_row(number: int, contrast: Contrast, runs: Sequence[SummaryRun]) -> SettingError:
    """Why a contrast whose terms all have runs compares none."""
    if any(groups(contrast, runs)):
        value, advice = "no step that all of its runs have", "add a step that they all keep to evaluation.steps"
        return SettingError("contrast without an evaluated step", ("contrasts", number), value, advice)
    axes = ", ".join(axis for axis in contrast.rows_per if axis != "augmentation" or contrast.terms)
    value, advice = f"no value of {f'{axes} or ' if axes else ''}tag for which all terms have runs", "add runs"
    if not contrast.terms:
        same = f"{axes} and tag" if axes else "tag"
        value = f"{contrast.minuend} and {contrast.subtrahend} have no {same} in common"
        advice = f"add runs with both that have the same {same}"
    return SettingError("contrast without runs", ("contrasts", number), value, advice)


def _side_errors(number: int, contrast: Contrast, pairs: set[str]) -> Iterator[SettingError]:
    """Errors of the short form's sides that are the pairs of no run."""
    for side in () if contrast.terms else ("minuend", "subtrahend"):
        yield from known(("contrasts", number, side), "run's pairs", getattr(contrast, side), pairs)


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
