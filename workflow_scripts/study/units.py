"""The study's units of work: names of artifacts, settings of each stage for a unit, and paths of inputs.

Rules and commands use this module: it is the only place that determines the settings of a job.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.evaluation.datasets.kinds import KINDS
from workflow_scripts.models.networks.view import Scaling, View
from workflow_scripts.models.text.kinds import TOKENIZERS
from workflow_scripts.stages.pair_table import PAIR_KINDS
from workflow_scripts.stages.source import WORLD, Source
from workflow_scripts.study.config.arms.order import arms_read
from workflow_scripts.study.config.kept import evaluated
from workflow_scripts.study.config.run_settings import seen_by, trainings
from workflow_scripts.study.config.study import Study
from workflow_scripts.study.named_sources import named_sources
from workflow_scripts.study.reported import report_settings, summary_settings
from workflow_scripts.study.run_inputs import RunInputs, tokenised
from workflow_scripts.study.scoring import blocks, scores
from workflow_scripts.study.stages import declaration, facts, published, stages_in_order
from workflow_scripts.study.vectors import (
    unread,
    vectors_of,
    vectors_read,
)

Unit = dict[str, str]
SHARDS_HASHED_TOGETHER = 50  # each job adds to the time that planning takes


class Units(RunInputs):
    """Everything that follows from a study's config without reading data.

    Args:
        accepted: code that counts as earlier code (:func:`workflow_scripts.core.code_equivalence.accepted`), for the
            report.
    """

    def __init__(self, study: Study, accepted: Sequence[Mapping[str, str]] = ()) -> None:
        self.study, self.accepted = study, accepted
        self._sections: dict[tuple[str, str], dict[str, Any]] = {}
        # Stages whose settings are more than a section of the config.
        self._gathered: dict[str, Callable[[Unit], dict[str, Any]]] = {
            **{"source": self._source, "annotations": self._annotations, "pretrain": self._pretrain},
            "eval_images": self._eval_images,
            **{stage: partial(self._embed_images, stage) for stage in ("embed_images", "embed_tests")},
            **{"summary": self._summary, "report": self._report, "crate": self._crate},
            "judge_quality": self._judge_quality,
            "caption_comparison": self._caption_comparison,
        }
        self._runs = trainings(study)
        self._steps = evaluated(study.evaluation.steps, {name: own for name, (_, own) in self._runs.items()})
        self.shards = [f"{number:05d}" for number in range(study.shards.shards)]
        self.arms = [arm.name for arm in study.arms]
        self.pairs = [pairs.name for pairs in study.pairs]
        self.runs = list(self._runs)
        self.datasets = [dataset.name for dataset in study.datasets]
        self.reported = [dataset.name for dataset in study.datasets if dataset.evaluate]
        self.mask_datasets = [dataset.name for dataset in study.datasets if dataset.evaluate and dataset.has_masks]
        self.checkpoints = [f"{run}.{step}" for run in self.runs for step in self.steps(run)] if self.reported else []
        self.evaluations = [f"{checkpoint}.{name}" for checkpoint in self.checkpoints for name in self.reported]
        self.mask_evaluations = [f"{one}.{name}" for one in self.checkpoints for name in self.mask_datasets]
        checked = [
            f"{name}.{self.steps(name)[-1]}"
            for name, (run, own) in self._runs.items()
            if run.check_saliency and own.seed == run.seeds[0]
        ]
        self.saliency_checks = [f"{one}.{name}" for one in checked for name in self.mask_datasets]
        self.discriminated = ["discrimination"] if self.mask_evaluations else []
        self._views = {run: seen_by(own, study.evaluation) for run, (_, own) in self._runs.items()}
        seen = {view.name: view for view in self._views.values()} if self.reported else {}
        self._views_by_name: dict[str, View] = seen
        self.eval_images = [f"{name}.{view}" for name in self.reported for view in seen]
        trains = any(own.trains for _, own in self._runs.values())
        self.packs = self.shards if trains and study.pack is not None else []
        self.pack_indexes = ["images"] if self.packs else []
        self.leak_checked = self.reported if trains else []
        encoder = study.leakage.encoder
        self.vector_matches = [f"{name}.{encoder}" for name in self.leak_checked if encoder]
        self.hashed_blocks = blocks(self.shards, SHARDS_HASHED_TOGETHER) if self.leak_checked else []
        self.judges = [judge.name for judge in study.judges]
        self.blocks = blocks(self.shards, study.score_captions.shards_per_job)
        self.scores = scores(self.arms, self.judges, self.blocks)
        self.reference_arm = next((arm.name for arm in study.arms if arm.kind == "original"), None)
        self.compared_arms = [arm for arm in self.arms if self.judges and self.reference_arm not in (None, arm)]
        self.text_vectors = [f"{arm}.{encoder.name}" for arm in self.arms for encoder in study.text_encoders]
        self.tokenised = tokenised(study)
        self.tokenizers = ["tokenizer"] if self.tokenised else []
        self.common = ["images"] if study.common_images and trains else []
        self.image_encoders = [encoder.name for encoder in study.image_encoders]
        self.world = ["world"] if study.demo_world is not None else []
        self.labels = ["labels"] if study.caption_labels is not None else []
        self.calibrated_judges = self.judges if self.labels else []
        self.quality_encoder = [name for name in [study.pair_quality.image_encoder] if name]
        self.sources_by_name = named_sources(study)
        self._unused = unread(study, self.text_vectors, self._runs.values())

    def steps(self, run: str) -> list[str]:
        """Names of a run's evaluated checkpoints: ``last``, ``best``, ``step-000200``."""
        return self._steps[run]

    def from_world(self, source: Source | None) -> bool:
        """Whether the demo's world provides the dataset."""
        return source is None or source.at == WORLD

    @property
    def has_local_images(self) -> bool:
        """Whether the annotation source may contain images, unlike RedCaps' zip."""
        at = self.study.annotations.source.at
        return at != WORLD and not urlsplit(at).path.endswith(".zip")

    def holds(self, stage: str, name: str) -> bool:
        """Whether the study has the artifact ``<stage>/<name>``; its folder may hold results of earlier configs too."""
        names = self.names(stage)
        return names is None or name in names

    def names(self, stage: str) -> list[str] | None:
        """Names of a stage's artifacts in the study; None if there is no such stage with artifacts."""
        declared = declaration(stage)
        if declared is None:
            return None
        named = facts(stage).names
        return [declared.artifact] if named is None else list(getattr(self, named))

    def needed(self, stage: str) -> list[str]:
        """Those of them that the report depends on; embeddings that nothing reads, and their encoders, are left out."""
        return [name for name in self.names(stage) or [] if f"{stage}/{name}" not in self._unused]

    def requested(self, out: str) -> list[str]:
        """Manifests that the rule ``all`` requests, of stages that say so."""
        stages = [stage for stage in stages_in_order() if facts(stage).in_all]
        return [f"{out}/{stage}/{name}{MANIFEST}" for stage in stages for name in self.names(stage) or []]

    # Settings ------------------------------------------------------------------------------------------------------

    def settings(self, stage: str, unit: Unit) -> dict[str, Any]:
        """Settings of one job, as JSON values: those of its section of the config, or collected from several.

        Raises:
            KeyError: the study has no such unit.
        """
        gathered = self._gathered.get(stage)
        if gathered is not None:
            return gathered(unit)
        section = facts(stage).section
        if section is None:
            return {}
        path = section.format(**unit)
        if (stage, path) not in self._sections:
            self._sections[stage, path] = self._section(stage, path)
        return dict(self._sections[stage, path])

    def _section(self, stage: str, path: str) -> dict[str, Any]:
        """A section's settings of the stage itself, without names and sources that the section adds."""
        found: Any = self.study
        for part in path.split("."):
            found = _named(found, part) if isinstance(found, tuple | list) else getattr(found, part)
        declared = declaration(stage)
        assert declared is not None
        return dict(found.model_dump(mode="json", include=set(declared.settings.model_fields)))

    def _source(self, unit: Unit) -> dict[str, Any]:
        return self.sources_by_name[unit["source"]].model_dump(mode="json")

    def _annotations(self, unit: Unit) -> dict[str, Any]:
        # Records, logs and Snakemake's metadata store settings, so these must not contain what the user wants removed.
        section = self.study.annotations
        tokens = sorted({token(entry) for entry in section.exclude})
        return section.model_dump(mode="json", exclude={"source", "exclude_from"}) | {"exclude": tokens}

    def _pretrain(self, unit: Unit) -> dict[str, Any]:
        return self._runs[unit["run"]][1].model_dump(mode="json")

    def _eval_images(self, unit: Unit) -> dict[str, Any]:
        return self._views_by_name[unit["view"]].model_dump(mode="json")

    def _embed_images(self, stage: str, unit: Unit) -> dict[str, Any]:
        encoder = _named(self.study.image_encoders, unit["encoder"])
        own = self._section(stage, f"image_encoders.{encoder.name}")
        if encoder.run is None:
            return own
        run = self._runs[encoder.run][1]
        # As evaluations see images by default: their own settings must not decide what is trained.
        view = seen_by(run, Scaling()).model_dump(mode="json")
        return own | {"weights": run.checkpoint_name(encoder.checkpoint), "view": view}

    def _judge_quality(self, unit: Unit) -> dict[str, Any]:
        return {"reference": self.reference_arm}

    def _caption_comparison(self, unit: Unit) -> dict[str, Any]:
        return {"reference": self.reference_arm, "seed": self.study.caption_quality.seed}

    def _summary(self, unit: Unit) -> dict[str, Any]:
        return summary_settings(self.study, self._runs, self._steps)

    def _report(self, unit: Unit) -> dict[str, Any]:
        return report_settings(self.study, self._runs, self.accepted)

    def _crate(self, unit: Unit) -> dict[str, Any]:
        return self.study.crate.model_dump(mode="json", exclude={"in_all"}) | {"published": published()}

    # Inputs --------------------------------------------------------------------------------------------------------

    def sources(self, stage: str, unit: Unit) -> dict[str, str]:
        """Source name within the stage -> location, for the sources that are read in place."""
        if stage == "download" and not self.has_local_images:
            return {}
        if "run" in unit:
            unit = unit | {"network": self._runs[unit["run"]][0].network or ""}
        wanted = {name: source.format(**unit) for name, source in facts(stage).sources.items()}
        there = self.sources_by_name
        return {name: there[key].at for name, key in wanted.items() if key in there}

    def arms_read(self, arm: str) -> list[str]:
        """Names of the arms from which an arm is made, in the order of its settings."""
        return list(dict.fromkeys(arms_read(_named(self.study.arms, arm)).values()))

    def tokenizer_captions(self, out: str) -> list[str]:
        """Manifest of the captions that the tokenizer is trained on, if it is."""
        trained = TOKENIZERS[self.study.tokenizer.kind].train is not None
        return [f"{out}/caption_table/captions{MANIFEST}"] if trained else []

    def pair_vectors(self, out: str, pairs: str) -> str:
        """Manifest of the caption or image embeddings that pair table ``pairs`` is computed from."""
        return f"{out}/{vectors_of(_named(self.study.pairs, pairs))}{MANIFEST}"

    def encoder_run(self, out: str, encoder: str) -> list[str]:
        """Manifest of the run whose network embeds captions or images, if it is one of the study's."""
        run = _named((*self.study.text_encoders, *self.study.image_encoders), encoder).run
        return [f"{out}/pretrain/{run}{MANIFEST}"] if run else []

    def encoder_tokenizer(self, out: str, encoder: str) -> list[str]:
        """Manifest of the tokenizer of a run's text tower, if it embeds captions."""
        towers = [one.name for one in self.study.text_encoders if one.run]
        return [f"{out}/tokenizer/tokenizer{MANIFEST}"] if encoder in towers else []

    def pair_truth(self, out: str, pairs: str) -> list[str]:
        """Manifest of the demo's world, for pair tables that need labels."""
        return self._truth(out, PAIR_KINDS[_named(self.study.pairs, pairs).kind].needs_labels)

    def pair_captions(self, out: str, pairs: str) -> list[str]:
        """Manifest of the captions that pair table ``pairs`` compares, if it compares captions."""
        arm = _named(self.study.pairs, pairs).arm
        return [f"{out}/select_captions/{arm}{MANIFEST}"] if arm else []

    def used_vectors(self, out: str, stage: str = "") -> list[str]:
        """Manifests of the vectors that pair tables and their diagnostics need: all, or those of one stage."""
        return sorted(f"{out}/{label}{MANIFEST}" for label in vectors_read(self.study) if label.startswith(stage))

    def close_vectors(self, out: str, dataset: str) -> list[str]:
        """Manifest of the training images whose vectors are close to a dataset's, if the study compares vectors."""
        encoder = self.study.leakage.encoder
        return [f"{out}/vector_matches/{dataset}.{encoder}{MANIFEST}"] if encoder else []

    def dataset_world(self, out: str, dataset: str) -> list[str]:
        """Manifest of the demo's world, for a dataset that it provides."""
        kind = KINDS[_named(self.study.datasets, dataset).kind]
        return [f"{out}/demo_world/world{MANIFEST}"] if kind.from_world else []


def _named(items: Sequence[Any], name: str) -> Any:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
