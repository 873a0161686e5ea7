"""What the runs of a study learn from: arms, and paths of the inputs of their trainings."""

from collections.abc import Callable, Mapping

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.models.networks.view import View
from workflow_scripts.pretraining.settings import METHODS, Pretrain
from workflow_scripts.stages.source import Source
from workflow_scripts.study.config.embedded import arm_of
from workflow_scripts.study.config.sections import Run
from workflow_scripts.study.config.study import Study
from workflow_scripts.study.vectors import faithfulness, vectors_learned


def learned_arm(study: Study, run: Run) -> str | None:
    """The arm whose captions a run learns from: its own or, with a pair table, the table's; None if from none."""
    return arm_of(study, run) if METHODS[run.method].captions else None


def tokenised(study: Study) -> list[str]:
    """The arms whose captions some run learns from as tokens, in the order of the study."""
    read = {learned_arm(study, run) for run in study.runs if "tokens" in METHODS[run.method].learns}
    return [arm.name for arm in study.arms if arm.name in read]


class RunInputs:
    """The part of :class:`~workflow_scripts.study.units.Units` that is about runs."""

    study: Study
    runs: list[str]
    common: list[str]
    sources_by_name: Mapping[str, Source]
    _runs: Mapping[str, tuple[Run, Pretrain]]
    _views: Mapping[str, View]

    def manifest_if_source(self, out: str, name: str) -> list[str]:
        """Manifest of a source, if the study has it."""
        return [f"{out}/source/{name}{MANIFEST}"] if name in self.sources_by_name else []

    def _truth(self, out: str, needed: bool) -> list[str]:
        return [f"{out}/demo_world/world{MANIFEST}"] if needed else []

    def run_pairs(self, out: str, run: str) -> list[str]:
        """Manifest of a run's pair table, if it has one."""
        section, settings = self._runs[run]
        return [f"{out}/pair_table/{section.pairs}{MANIFEST}"] if "pairs" in settings.inputs else []

    def run_arm(self, out: str, run: str) -> list[str]:
        """Manifest of the captions that a run learns from, as text, tokens or vectors, if its method does."""
        arm = learned_arm(self.study, self._runs[run][0])
        return [f"{out}/select_captions/{arm}{MANIFEST}"] if arm else []

    def run_captions(self, out: str, run: str) -> list[str]:
        """The same for a method that reads them itself."""
        return self.run_arm(out, run) if "captions" in self._runs[run][1].inputs else []

    def run_tokens(self, out: str, run: str) -> list[str]:
        """Manifest of the tokens that a run learns from, if its method does."""
        section, settings = self._runs[run]
        return [f"{out}/tokens/{learned_arm(self.study, section)}{MANIFEST}"] if "tokens" in settings.inputs else []

    def run_vectors(self, out: str, run: str) -> list[str]:
        """Manifest of the vectors of captions that a run learns from, if its method does."""
        return [f"{out}/{name}{MANIFEST}" for name in vectors_learned(self.study, *self._runs[run])]

    def run_faithfulness(self, out: str, run: str) -> list[str]:
        """Manifests of what the weights of a run's pairs are made from, if they have some."""
        return [f"{out}/{name}{MANIFEST}" for name in faithfulness(self.study, *self._runs[run])]

    def run_truth(self, out: str, run: str) -> list[str]:
        """Manifest of the demo's world, for runs that learn from labels."""
        return self._truth(out, "truth" in self._runs[run][1].inputs)

    def run_common(self, out: str, run: str) -> list[str]:
        """Manifest of the images that all runs train on, if the study confines a run to them."""
        return [f"{out}/common_images/{name}{MANIFEST}" for name in self.common if self._runs[run][1].trains]

    def common_tables(self, out: str, read: Callable[[str, str], list[str]]) -> list[str]:
        """Manifests of the tables (:meth:`run_pairs`, :meth:`run_arm`) of runs that leave images out."""
        return sorted({path for run in self.runs if self._runs[run][1].unpaired == "drop" for path in read(out, run)})

    def images_learned(self, out: str) -> str:
        """Manifest of the index of the images that runs learn from, packed or as they were stored."""
        stage = "image_index" if self.study.pack is None else "pack_index"
        return f"{out}/{stage}/images{MANIFEST}"

    def run_images(self, out: str, run: str) -> list[str]:
        """The same for a run, if it trains."""
        return [self.images_learned(out)] if self._runs[run][1].trains else []

    def run_probe(self, out: str, run: str) -> list[str]:
        """Manifest of the labelled set of the online probe, if the run has a probe."""
        wanted = self.study.probe_dataset if self._runs[run][1].probe is not None else None
        return [f"{out}/eval_dataset/{wanted}{MANIFEST}"] if wanted else []

    def run_network(self, out: str, run: str) -> list[str]:
        """Manifest of the weights of a network from elsewhere, if a run has some."""
        return self.manifest_if_source(out, f"network-{self._runs[run][0].network}")

    def run_gpus(self, run: str) -> int:
        """Number of GPUs that a run requests."""
        return self._runs[run][1].gpus if self.study.compute.device != "cpu" else 0

    def run_settings(self, run: str) -> Pretrain:
        """Full settings of a run."""
        return self._runs[run][1]

    def run_local(self, run: str) -> int:
        """Processes of a run on each of its nodes."""
        settings = self._runs[run][1]
        return settings.processes // settings.nodes

    def run_view(self, out: str, run: str, dataset: str) -> str:
        """Manifest of the images of a dataset as the network of a run sees them."""
        return f"{out}/eval_images/{dataset}.{self._views[run].name}{MANIFEST}"
