"""Checks of references within a study: every name that is used must be defined exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.models.networks.settings import LAYOUTS
from workflow_scripts.models.text.kinds import TOKENIZERS
from workflow_scripts.pretraining.settings import METHODS
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.stages.score_captions import JUDGES
from workflow_scripts.stages.source import WORLD
from workflow_scripts.study.config.arms.checks import arm_errors
from workflow_scripts.study.config.arms.judged import judged_arm_errors
from workflow_scripts.study.config.encoders.checks import encoder_errors
from workflow_scripts.study.config.errors import Path, SettingError, known, unused_settings

if TYPE_CHECKING:
    from workflow_scripts.study.config.sections import Pairs
    from workflow_scripts.study.config.study import Study

SAME_CROP = 0.01  # of the side: shares of whole pixels differ by less where the crop is the same
RESERVED_PAIRS = ("self", "labels", "none")
RESERVED = {"pairs": RESERVED_PAIRS, "datasets": ("mean",)}  # mean: of the summary's rows over all datasets


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
        yield from _index(table, ("pairs", number, "index"))
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


def _index(table: Pairs, where: Path) -> Iterator[SettingError]:
    """An error for an index that FAISS refuses; where FAISS isn't installed, the job reports it."""
    given = table.model_dump(include={"index", "index_parameters"})
    if given["index"] == type(table).model_fields["index"].default or find_spec("faiss") is None:
        return
    from workflow_scripts.pairs.search.index import Index, check_index

    try:
        check_index(Index(given["index"], given["index_parameters"]))
    except PipelineError as error:
        yield SettingError(error.what, where, error.value, error.advice)


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
        if needed and network.source is None:
            value, advice = f"none for {network.name}", f"layout {network.layout} needs one"
            yield SettingError("missing source", ("networks", number, "source"), value, advice)
        elif not needed and network.source is not None:
            where, value = ("networks", number, "source"), network.source.at
            yield SettingError("unused source", where, value, "remove it; random weights are not read")
    loaded, given = TOKENIZERS[study.tokenizer.kind].load is not None, study.tokenizer.source
    if loaded and given is None:
        value, advice = "none for the tokenizer", f"kind {study.tokenizer.kind} needs one"
        yield SettingError("missing source", ("tokenizer", "source"), value, advice)
    elif not loaded and given is not None:
        advice = f"remove it; a tokenizer of kind {study.tokenizer.kind} has none"
        yield SettingError("unused source", ("tokenizer", "source"), given.at, advice)
    for number, dataset in enumerate(study.datasets):
        where, from_world = ("datasets", number, "source"), KINDS[dataset.kind].from_world
        if not from_world and dataset.source is None:
            value, advice = f"none for dataset {dataset.name}", f"kind {dataset.kind} needs one"
            yield SettingError("missing source", where, value, advice)
        elif from_world and dataset.source is not None:
            yield SettingError("unused source", where, dataset.source.at, f"remove it; kind {dataset.kind} has none")
    if study.demo_world is None:
        places: list[Path] = [("annotations", "source")] if study.annotations.source.at == WORLD else []
        places += [
            ("datasets", n, "kind") for n, dataset in enumerate(study.datasets) if KINDS[dataset.kind].from_world
        ]
        for place in places:
            advice = "add the section demo_world, or name a source"
            yield SettingError("source world without a demo_world", place, "demo_world is null", advice)


def _judges(study: Study) -> Iterator[SettingError]:
    encoders, arms = ([one.name for one in items] for items in (study.text_encoders, study.arms))
    named = {"encoder": ("text encoder", encoders), "reference": ("arm", arms)}
    for number, judge in enumerate(study.judges):
        kind, where = JUDGES[judge.kind], ("judges", number)
        yield from unused_settings(where, judge, JUDGES)
        has = {"source": "model" in kind.needs, "encoder": "text" in kind.needs, "photos": "photos" in kind.needs}
        for key, used in {**has, "reference": kind.by_reference}.items():
            given = getattr(judge, key)
            if given is None and used and (key != "source" or kind.own_model):
                value, advice = f"none for {judge.name}", f"kind {judge.kind} needs one"
                yield SettingError(f"missing {key}", (*where, key), value, advice)
            elif given is not None and not used:
                value, advice = getattr(given, "at", given), f"remove it; kind {judge.kind} has none"
                yield SettingError(f"unused {key}", (*where, key), value, advice)
            elif given is not None and key in named:
                what, names = named[key]
                yield from known((*where, key), what, given, names)


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
