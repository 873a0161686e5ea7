"""The artifacts of a study: for each stage their names, their settings and what they are made from.

Each stage declares these beside its ``STAGE`` (``FACTS.names``, ``settings``, ``section``, ``inputs`` and ``sources``);
here they are applied to a study. Rules and commands use nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.declaration.facts import Unit
from workflow_scripts.core.declaration.parts import blocks
from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.embeddings.image_encoders import IMAGE_ENCODERS
from workflow_scripts.evaluation.contrasts.settings import Contrast, Table
from workflow_scripts.models.networks.view import Scaling
from workflow_scripts.pretraining.settings import step_name
from workflow_scripts.stages.caption_quality import SOURCES
from workflow_scripts.stages.score_captions import FACTS, JUDGES
from workflow_scripts.stages.source import WORLD, Source
from workflow_scripts.study.config.runs import Training, seen_by, summarised, swept, trainings
from workflow_scripts.study.config.sections import Study
from workflow_scripts.study.config.stages import declaration, facts, published, stages_in_order
from workflow_scripts.study.methods import methods_settings

SHARDS_SCORED = 10  # consecutive shards that a job scores, with the judge loaded once


@dataclass(frozen=True, eq=False)
class PlannedJob:
    """A job of a command.

    Attributes:
        stage: name of the rule, which is the stage's name (``all`` for the default target).
        unit: wildcard values.
        inputs: input name -> paths, in order; names without a path are left out.
        outputs: paths.
        requested: whether a requested target needs it; False for what ``--until`` or ``--omit-from`` cuts off.
    """

    stage: str
    unit: dict[str, str]
    inputs: dict[str, list[str]]
    outputs: list[str]
    requested: bool


class Units:
    """Everything that follows from a study's config without reading data.

    Args:
        accepted: code that counts as earlier code (:func:`workflow_scripts.core.code_equivalence.accepted`), for the
            report.
    """

    def __init__(self, study: Study, accepted: Sequence[Mapping[str, str]] = ()) -> None:
        self.study, self.accepted = study, accepted
        self.trainings = trainings(study)
        self.runs = list(self.trainings)
        self.trains = any(run.settings.trains for run in self.trainings.values())
        self.shards = [f"{number:05d}" for number in range(study.shards.shards)]
        self.arms = [arm.name for arm in study.arms]
        self.judges = [judge.name for judge in study.judges]
        self.reference_arm = next((arm.name for arm in study.arms if arm.kind == "original"), None)
        self.reported = [dataset.name for dataset in study.datasets if dataset.evaluate]
        self.mask_datasets = [dataset.name for dataset in study.datasets if dataset.evaluate and dataset.has_masks]
        self.views = {run.view.name: run.view for run in self.trainings.values()} if self.reported else {}
        runs = self.trainings.items() if self.reported else ()
        self.checkpoints = [f"{name}.{step}" for name, run in runs for step in run.steps]
        self.evaluations = [f"{checkpoint}.{name}" for checkpoint in self.checkpoints for name in self.reported]
        self.sources_by_name = named_sources(study, self.tokenised_arms())
        self._names: dict[str, list[str]] = {}
        self._section = cache(self._read_section)

    # Of stages -----------------------------------------------------------------------------------------------------

    def names(self, stage: str) -> list[str] | None:
        """Names of a stage's artifacts in the study; None if there is no such stage with artifacts."""
        declared = declaration(stage)
        if declared is None:
            return None
        if stage not in self._names:
            named = facts(stage).names
            self._names[stage] = [declared.artifact] if named is None else named(self)
        return self._names[stage]

    def all(self, stage: str) -> list[str]:
        """``<stage>/<name>`` of all artifacts of a stage."""
        return [f"{stage}/{name}" for name in self.names(stage) or ()]

    def holds(self, stage: str, name: str) -> bool:
        """Whether the study has the artifact ``<stage>/<name>``; its folder may hold results of earlier configs too."""
        names = self.names(stage)
        return names is None or name in names

    def needed(self, stage: str) -> list[str]:
        """Names of the artifacts that the report or the rule ``all`` needs, unlike embeddings that nothing reads."""
        return [name for name in self.names(stage) or [] if f"{stage}/{name}" in self._needed]

    @cached_property
    def _needed(self) -> set[str]:
        labels = {*self.all("report")}
        # The report lists the sources behind its other inputs.
        waiting = self.in_all()
        for key in {*facts("report").input_names} - {"source"}:
            waiting += self.read("report", key, {})
        while waiting:
            label = waiting.pop()
            if label not in labels:
                labels.add(label)
                stage, name = label.split("/", 1)
                declared = declaration(stage)
                assert declared is not None
                waiting += chain.from_iterable(self.inputs(stage, declared.unit_of(name)).values())
        return labels

    def in_all(self) -> list[str]:
        """``<stage>/<name>`` of what the rule ``all`` requests, of stages that say so."""
        return [label for stage in stages_in_order() if facts(stage).in_all for label in self.all(stage)]

    def read(self, stage: str, name: str, unit: Unit) -> list[str]:
        """``<stage>/<name>`` of the artifacts that a job reads as input ``name``, in order."""
        stage_facts = facts(stage)
        if name not in stage_facts.inputs:
            source = self._source(stage, name, unit)
            return [f"source/{source}"] if source in self.sources_by_name else []
        declared = stage_facts.inputs[name]
        if not isinstance(declared, str):
            return declared(self, unit)
        return self.all(declared.removesuffix("/*")) if declared.endswith("/*") else [declared.format(**unit)]

    def inputs(self, stage: str, unit: Unit) -> dict[str, list[str]]:
        """``<stage>/<name>`` of the artifacts that a job reads, by input; inputs without any are left out."""
        read = {name: self.read(stage, name, unit) for name in facts(stage).input_names}
        return {name: labels for name, labels in read.items() if labels}

    def job(self, stage: Stage, name: str, out: Path) -> PlannedJob:
        """The job of an artifact in the study's folder ``out``, as if a target needs it."""
        unit = stage.unit_of(name)
        read = self.inputs(stage.name, unit).items()
        inputs = {key: [f"{out}/{label}{MANIFEST}" for label in labels] for key, labels in read}
        outputs = [f"{out}/{stage.name}/{name}{end}" for end in (MANIFEST, RUN)]
        return PlannedJob(stage.name, unit, inputs, outputs, requested=True)

    def sources(self, stage: str, unit: Unit) -> dict[str, str]:
        """Source name within the stage -> location, for the sources that are read in place."""
        named = {name: self._source(stage, name, unit) for name in facts(stage).sources}
        return {name: self.sources_by_name[key].at for name, key in named.items() if key in self.sources_by_name}

    def _source(self, stage: str, name: str, unit: Unit) -> str:
        declared = facts(stage).sources[name]
        return declared.format(**unit) if isinstance(declared, str) else declared(self, unit)

    def settings(self, stage: str, unit: Unit) -> dict[str, Any]:
        """Settings of one job, as JSON values.

        Raises:
            KeyError: the study has no such unit.
        """
        stage_facts = facts(stage)
        section = {} if stage_facts.section is None else dict(self._section(stage, stage_facts.section.format(**unit)))
        return section if stage_facts.settings is None else section | stage_facts.settings(self, unit)

    def _read_section(self, stage: str, path: str) -> dict[str, Any]:
        """A section's settings of the stage itself, without names and sources that the section adds."""
        section: Any = self.study
        for part in path.split("."):
            section = named(section, part) if isinstance(section, tuple | list) else getattr(section, part)
        declared = declaration(stage)
        assert declared is not None
        return dict(section.model_dump(mode="json", include=set(declared.settings.model_fields)))

    # What the declarations of several stages use -------------------------------------------------------------------

    def item(self, section: str, name: str) -> Any:
        """The member of a list of the config with this name."""
        return named(getattr(self.study, section), name)

    def parts(self, stage: str, whole: str) -> list[str]:
        """``<stage>/<name>`` of the artifacts ``<whole>.<part>`` of a stage."""
        return [f"{stage}/{name}" for name in self.names(stage) or () if name.rpartition(".")[0] == whole]

    def scores(self, arms: Iterable[str], judges: Sequence[str]) -> list[str]:
        """``<stage>/<name>`` of the scores of these arms by these judges."""
        parts = blocks(self.shards, SHARDS_SCORED)
        return [f"score_captions/{arm}.{judge}.{block}" for arm in arms for judge in judges for block in parts]

    def scores_read(self, arm: str) -> list[str]:
        """``<stage>/<name>`` of the scores that choose the captions of an arm; none if no judge chooses them."""
        item = self.item("arms", arm)
        return self.scores(item.arms_read.values(), [item.judge_read]) if item.judge_read else []

    def tokenised_arms(self) -> list[str]:
        """The arms whose captions some run learns from as tokens, in the order of the study."""
        read = {run.learned_arm for run in self.trainings.values() if "tokens" in run.settings.inputs}
        return [arm for arm in self.arms if arm in read]

    def dropping(self) -> list[Training]:
        """The runs that leave out images without a partner or caption."""
        return [run for run in self.trainings.values() if run.settings.unpaired == "drop"]

    def encoder_run(self, encoder: str) -> list[str]:
        """``<stage>/<name>`` of the run whose network embeds captions or images, if it is one of the study's."""
        run = named((*self.study.text_encoders, *self.study.image_encoders), encoder).run
        return [f"pretrain/{run}"] if run else []

    def run_seen(self, encoder: str) -> dict[str, Any]:
        """The checkpoint and the view of an encoder of images that is a run of the study; empty for others."""
        item = self.item("image_encoders", encoder)
        if item.run is None:
            return {}
        run = self.trainings[item.run].settings
        # As evaluations see images by default: their own settings must not decide what is trained.
        view = seen_by(run, Scaling()).model_dump(mode="json")
        return {"weights": "last", "view": view}

    def vectors_read(self) -> list[str]:
        """``<stage>/<name>`` of the embeddings that pair tables, their diagnostics and the search for leakage read."""
        quality = self.study.pair_quality.image_encoder if self.study.pairs else None
        encoders = {name for name in (quality, self.study.leakage.encoder) if name}
        return sorted({pairs.vectors for pairs in self.study.pairs} | {f"embed_images/{name}" for name in encoders})

    def images_seen(self, unit: Unit) -> list[str]:
        """``<stage>/<name>`` of the images of a dataset as the network of a run sees them."""
        return [f"eval_images/{unit['dataset']}.{self.trainings[unit['run']].view.name}"]

    def crate_settings(self) -> dict[str, Any]:
        """Settings of ``crate``."""
        return self.study.crate.model_dump(mode="json", exclude={"in_all"}) | {"published": published()}

    def summary_settings(self) -> dict[str, Any]:
        """Settings of ``summary``: the runs, and what is compared."""
        study = self.study
        settings: dict[str, Any] = {
            "runs": summarised(self.trainings),
            "contrasts": [contrast.model_dump(mode="json") for contrast in study.contrasts],
            "standard_contrasts": study.standard_contrasts,
            "bootstrap": study.bootstrap,
            "small": [one.name for one in study.datasets if one.public is not None and one.public.side],
            "tables": [one.model_dump(mode="json") for one in self.tables_compared()],
        }
        if any(contrast.endpoint == "orderings" for contrast in study.contrasts):
            rule = study.evaluation.discrimination.model_dump(mode="json")
            settings["discrimination"] = rule | {"doses": self.doses()}
        return settings

    def tables_compared(self) -> list[Table]:
        """The pair tables whose purity contrasts compare."""
        tables = [Table(pairs=one.name, arm=one.arm or "", encoder=one.encoder) for one in self.study.pairs]
        listed = [contrast for contrast in self.study.contrasts if contrast.endpoint == "pair_purity"]
        return [one for one in tables if any(term.matches(one) for contrast in listed for _, term in contrast.cells)]

    def scores_compared(self) -> list[str]:
        """``<stage>/<name>`` of the scores of captions that contrasts compare."""
        found: dict[str, None] = {}
        for contrast in self.study.contrasts:
            if contrast.endpoint == "caption_score" and contrast.judge:
                arms = [arm for arm in self.arms if any(term.arm in (None, arm) for _, term in contrast.cells)]
                found |= dict.fromkeys(self.scores(arms, [contrast.judge]))
        return list(found)

    def doses(self) -> dict[str, float]:
        """Share of faithful captions by pair table, as stated or of a mixed arm."""
        found = {run["pairs"]: run["dose"] for run in summarised(self.trainings) if run["dose"] is not None}
        return found | self.study.evaluation.discrimination.doses

    def report_settings(self) -> dict[str, Any]:
        """Settings of ``report``."""
        study, step = self.study, self.study.evaluation.steps[0]
        runs = [run.settings for run in self.trainings.values()]
        shown = (run.checkpoint_name(step) for run in runs if run.trains and step in run.kept)
        levels = {name: section.level for name, section in study.evaluation if hasattr(section, "level")}
        return {
            "study": study.study,
            "captions_of": {pairs.name: pairs.arm for pairs in study.pairs if pairs.arm and pairs.arm != pairs.name},
            "headline_step": next(shown, step_name(step)),
            "roles": {run["pairs"]: run["role"] for run in summarised(self.trainings)},
            "contrasts": [_asked(contrast) for contrast in study.contrasts],
            "sweeps": swept(study, self.trainings),
            "levels": levels,
            "methods": methods_settings(self),
            "groups": "group" if study.annotations.has_local_images else "subreddit",
            "accepted": [dict(acceptance) for acceptance in self.accepted],
        }


def _asked(contrast: Contrast) -> dict[str, Any]:
    """A contrast as the report words it."""
    terms = [{"weight": weight, **term.model_dump(exclude={"weight", "at"})} for weight, term in contrast.cells]
    names = ("name", "test", "endpoint", "margin", "judge")
    return {**{name: getattr(contrast, name) for name in names}, "terms": terms}


def named_sources(study: Study, tokenised: Sequence[str]) -> dict[str, Source]:
    """The files, folders, models and sets outside the study, by the names of their artifacts.

    Args:
        tokenised: arms whose captions become tokens.
    """
    captioner, matcher = (getattr(study.recaption, name, None) for name in ("captioner", "matcher"))
    sources: dict[str, Source | None] = {
        "annotations": study.annotations.source,
        "exclude": study.annotations.exclude_from,
        "captioner": captioner,
        "matcher": matcher,
        **{name: getattr(study.caption_quality, name) for name in SOURCES if name != "matcher"},
        "labels": study.caption_labels.source if study.caption_labels else None,
        "tokenizer": study.tokenizer.source if tokenised else None,
    }
    sources |= {f"captions-{arm.name}": arm.table for arm in study.arms}
    encoders = {encoder.name: encoder.source for encoder in study.text_encoders}
    for judge in study.judges:
        text = encoders[judge.encoder] if judge.encoder else None
        roles = {"model": judge.source or matcher, "text": text, "photos": judge.photos, "table": judge.source}
        sources |= {str(FACTS.sources[need]).format(judge=judge.name): roles[need] for need in JUDGES[judge.kind].needs}
    sources |= {f"encoder-{name}": source for name, source in encoders.items()}
    for encoder in study.image_encoders:
        default = matcher if IMAGE_ENCODERS[encoder.kind].needs == "matcher" else None
        sources[f"encoder-{encoder.name}"] = encoder.source or default
    sources |= {f"network-{network.name}": network.source for network in study.networks}
    for dataset in study.datasets:
        source = dataset.source
        if source is not None and dataset.torchvision_name:
            source = source.model_copy(update={"torchvision": dataset.torchvision_name})
        sources[f"dataset-{dataset.name}"] = source
    return {name: source for name, source in sources.items() if source is not None and source.at != WORLD}


def named(items: Iterable[Any], name: str) -> Any:
    """The item with this name.

    Raises:
        KeyError: there is none.
    """
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
