"""Training of one run: steps, curve, online probe, checkpoints, kept weights."""

import json
import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, broadcast
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.gpu import is_out_of_memory
from workflow_scripts.core.runtime.meter import fed
from workflow_scripts.core.runtime.precision import computing
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.models.text.tower import TOWER, TextTower
from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data.loader import Batches, CutBatch, load
from workflow_scripts.pretraining.method import Signal
from workflow_scripts.pretraining.monitor.collapse import STATISTICS
from workflow_scripts.pretraining.monitor.curve import Curve, check_weights
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES, LiveCurve
from workflow_scripts.pretraining.monitor.probing import FirstBatch, OnlineProbe, interval, is_gain
from workflow_scripts.pretraining.monitor.tracking import Tracking, tracker_folder
from workflow_scripts.pretraining.network import build_network
from workflow_scripts.pretraining.schedule import Schedule
from workflow_scripts.pretraining.settings import METHODS, TRAINING, Pretrain
from workflow_scripts.pretraining.training import checkpoint
from workflow_scripts.pretraining.training.gradients import backward
from workflow_scripts.pretraining.training.interrupt import TERMINATED, Interrupt
from workflow_scripts.pretraining.training.meeting import meet
from workflow_scripts.pretraining.training.plan import OUTCOME, Plan, learned_rows, weights_name
from workflow_scripts.pretraining.training.sync_norm import convert
from workflow_scripts.stats.seeds import derive

PATIENCE = timedelta(minutes=30)
"""How long an exchange waits for the slowest process. The first steps compile, and a step may wait for a file server
that stalls: NCCL's own ten minutes can be too few. What one process does alone, others wait for in
:func:`~workflow_scripts.pretraining.training.meeting.meet`, without an end."""


@contextmanager
def reproducible(device: str, threads: int) -> Iterator[None]:
    """Fixed math threads, and the :data:`TRAINING` precision."""
    torch.set_num_threads(threads)
    with computing(TRAINING, device):
        yield


def train(plan: Plan, interrupt: Interrupt) -> None:
    """Train, from the last checkpoint in ``plan.work`` if there is one, and leave the kept weights
    (``plan.weights_name``) and the final :class:`~checkpoint.State` (``outcome.json``) there.

    With several processes each calls this; the first one writes. Asked to stop by ``interrupt``, all finish the step.

    Raises:
        PipelineError: losses or weights are not finite, there are fewer images than a batch takes, or the number of
            processes is not that of the settings.
        SystemExit: 143 after an interrupt, once a checkpoint was written.
    """
    with reproducible(plan.device, plan.threads):
        accelerator = Accelerator(
            cpu=plan.device == "cpu",
            mixed_precision=plan.settings.precision,
            log_with=plan.settings.tracker,
            project_dir=tracker_folder(plan),
            kwargs_handlers=[
                DistributedDataParallelKwargs(broadcast_buffers=False),
                InitProcessGroupKwargs(timeout=PATIENCE),
            ],
        )
        if accelerator.num_processes != plan.settings.processes:
            value = f"{accelerator.num_processes} instead of {plan.settings.processes}"
            raise PipelineError("wrong number of processes", "pretrain", value, "start the stage without a launcher")
        with fitting(plan.settings):
            Trainer(plan, accelerator).run(interrupt)


@contextmanager
def fitting(settings: Pretrain) -> Iterator[None]:
    """A training with these settings.

    Raises:
        PipelineError: it does not fit the GPU's memory, or a loader process has died.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker (pid" in str(error):
            advice = "see above; if nothing is there, the job ran out of memory or of /dev/shm: raise its mem_mb"
            raise PipelineError("a loader process died", "pretrain", error, advice) from None
        if not is_out_of_memory(error):
            raise
        pairs = settings.micro_batch_size or settings.batch_size
        value = f"{pairs // settings.processes} pairs at a time"
        advice = "set micro_batch_size to fewer pairs, or raise processes"
        raise PipelineError("out of GPU memory", "pretrain", value, advice) from error


class Trainer:
    """One process of a run."""

    def __init__(self, plan: Plan, accelerator: Accelerator) -> None:
        self.plan, self.settings, self.schedule, self.accelerator = plan, plan.settings, plan.schedule, accelerator
        self.method = METHODS[self.settings.method]
        learned, sizes = learned_rows(plan)
        self.model = build_network(self.settings, sizes)
        if accelerator.num_processes > 1:
            self.model = convert(self.model, cpu=plan.device == "cpu")
        cast(Any, self.model).to(memory_format=torch.channels_last)  # some versions of torch declare no such overload
        self.model.to(accelerator.device)
        updates = optimizer(self.model, self.settings.weight_decay, self.settings.norm_weight_decay)
        self.wrapped, self.optimizer = accelerator.prepare(self.model, updates)
        self.batches, self.workers = self._batches(learned), max(1, plan.workers // plan.local)
        self.state, self.best, self.hits = checkpoint.load(plan.work, self.model, self.optimizer.optimizer)
        if self.state.scaler and accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(self.state.scaler)
        self.backbone: nn.Module = self.model.get_submodule("backbone")
        first, probe = accelerator.is_main_process, self.settings.probe
        self.probe = (
            OnlineProbe(plan.probe, self.settings.image_size, probe, self.workers)
            if first and probe is not None and plan.probe is not None
            else None
        )
        # What is monitored in a run without a probe.
        self.first_batch = FirstBatch(self.batches[1].finish().views) if first and probe is None else None
        path = plan.work / CURVE_LINES if first else None
        self.live = LiveCurve(path, self.schedule, self.settings.batch_size, self.state.step)
        self.tracking = Tracking(accelerator, plan)
        self.curve = Curve(accelerator, self.state, self.live, self.tracking)

    def _batches(self, learned: Mapping[Signal, Any]) -> Batches:
        settings, plan = self.settings, self.plan
        augmentations = (AUGMENTATIONS[view.augmentation or settings.augmentation] for view in settings.views)
        blurred = (replace(row, blur_kernel=settings.blur_kernel, blur=settings.blur) for row in augmentations)
        return Batches(
            images=plan.images,
            keep=plan.keep_decoded,
            pairing=plan.pairing,
            order=plan.order,
            views=list(zip(settings.views, blurred, strict=True)),
            size=settings.image_size,
            seed=settings.seed,
            part=(self.accelerator.process_index, self.accelerator.num_processes),
            learned=learned,
            faithfulness=plan.faithfulness,
        )

    def run(self, interrupt: Interrupt) -> None:
        """Train to the end, or to the step in which ``interrupt`` was requested."""
        state = self.state
        if state.step == 0 and not state.curve:
            accuracy = None if self.settings.probe is None else self._probed()[0]
            self.curve.add(self._values(accuracy, watched=True), self.live.measure(0))
            self.live.restart(0)
        meet(self.settings.processes)
        last = state.step if state.stopped else self.schedule.steps
        steps = range(state.step + 1, last + 1)
        with closing(self.tracking), closing(self.loaded(steps)) as batches:
            timed = fed(batches, lambda _: self.settings.batch_size)
            for batch in progress(timed, self.schedule.steps, self.settings.method, state.step):
                self._step(batch)
                self._after_step()
                if interrupt.asked(state.step, self.accelerator.device):
                    self._save()
                    # No process may end before the checkpoint is complete: the end of one can end the others.
                    meet(self.settings.processes)
                    raise SystemExit(TERMINATED)
                if state.stopped:
                    batches.close()
        self._finish()

    def loaded(self, steps: range) -> Generator[CutBatch, None, None]:
        """Batches of some steps, loaded ahead."""
        return load(self.batches, steps, self.workers, pin=self.plan.device != "cpu")

    def _step(self, cut: CutBatch) -> None:
        self.state.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.state.step, self.settings, self.schedule)
        batch = cut.finish(self.accelerator.device)
        self.wrapped.train()
        # Dropout and stochastic depth: a function of the step, so that a run that goes on ends with the same bytes.
        torch.manual_seed(derive(self.settings.seed, "step", self.state.step, self.accelerator.process_index))
        parts = self.settings.batch_size // (self.settings.micro_batch_size or self.settings.batch_size)
        loss = backward(self.accelerator, self.wrapped, self.model, batch, parts)
        if self.method.objective is not None and self.method.objective.before_update is not None:
            self.method.objective.before_update(self.model, self.settings.head, self.state.step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.curve.add_loss(loss)

    def _after_step(self) -> None:
        settings, step = self.settings, self.state.step
        last = step == self.schedule.steps
        probing = settings.probe is not None and (last or step % settings.probe.every == 0)
        watched = probing or (settings.probe is None and (last or step % interval(self.schedule.steps) == 0))
        logged = watched or step % settings.log_every == 0
        written = watched or step in self.schedule.kept or step % settings.checkpoint_every == 0
        if written:
            self._check()
        if logged:
            self.curve.collect()
            measured = self.live.measure(step)  # before the probe, which does not count as training
            self.curve.add(self._values(self._judge() if probing else None, watched), measured)
        if step in self.schedule.kept:
            self._write(weights_name(self.schedule.kept[step]), self.backbone.state_dict())
        if last or self.state.stopped or step % settings.checkpoint_every == 0:
            self._save()
        if written:
            meet(settings.processes)  # the first process was measuring and writing
        if logged:
            self.live.restart(step)

    def _check(self) -> None:
        """Refuse losses and weights that are not finite, before the weights are probed or written."""
        self.curve.collect()
        weights = self.model.state_dict()
        if self.model.weigh is not None:
            del weights["weigh.mean"]  # NaN until a batch has a score
        check_weights(weights, self.state.step, self.curve.saved)

    def _values(self, accuracy: float | None, watched: bool) -> dict[str, Any]:
        """A row of the curve, without its loss."""
        step = self.state.step
        rate = learning_rate(step, self.settings, self.schedule)
        row = {"step": step, "lr": rate, "images": step * self.settings.batch_size, "knn_accuracy": accuracy}
        return row | (self._statistics() if watched else dict.fromkeys(STATISTICS))

    def _statistics(self) -> dict[str, float | None]:
        """Statistics of features: of the probe, which has just run, or the first batch; only on the first process."""
        if self.first_batch is not None:
            return self.first_batch(self.backbone, self.accelerator.device)
        return dict.fromkeys(STATISTICS) if self.probe is None else self.probe.statistics

    def _probed(self) -> tuple[float, bool]:
        """The online probe's accuracy, and whether it is the first one after a step or a gain over the best one.

        Both are the same on every process, but only the first one has the hits.
        """
        device, result = self.accelerator.device, (0.0, 0.0)
        if self.probe is not None:
            hits = self.probe(self.backbone, device)
            better = self.state.step > 0 and (self.hits is None or is_gain(hits, self.hits))
            self.hits = hits if better else self.hits
            result = (float(hits.double().mean()), float(better))
        meet(self.settings.processes)
        accuracy, better = broadcast(torch.tensor(result, device=device, dtype=torch.float64)).tolist()
        return accuracy, bool(better)

    def _judge(self) -> float:
        """Probe, remember the best weights, and stop if the rule says so."""
        state, (accuracy, better) = self.state, self._probed()
        if better:
            state.best, state.best_step, state.stale = accuracy, state.step, 0
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in self.backbone.state_dict().items()}
        else:
            state.stale += 1
        state.stopped = self.settings.patience is not None and state.stale >= self.settings.patience
        return accuracy

    def _save(self) -> None:
        self._check()
        if self.accelerator.scaler is not None:
            self.state.scaler = self.accelerator.scaler.state_dict()
        if self.accelerator.is_main_process:
            checkpoint.save(self.plan.work, self.state, self.model, self.optimizer.optimizer, self.best, self.hits)
        self.curve.saved = self.state.step

    def _write(self, name: str, weights: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
        if self.accelerator.is_main_process:
            checkpoint.write_tensors(self.plan.work / name, weights, metadata)

    def _finish(self) -> None:
        self._write(weights_name("last"), self.backbone.state_dict())
        for head in self.model.heads.children():
            if isinstance(head, TextTower):
                self._write(TOWER, head.state_dict(), {"shape": json.dumps(head.shape)})
        if self.best is not None:
            self._write(weights_name("best"), self.best)
        if self.accelerator.is_main_process:
            (self.plan.work / OUTCOME).write_text(json.dumps(asdict(self.state)))
        meet(self.settings.processes)


def parameter_groups(model: nn.Module, weight_decay: float, norm_weight_decay: float = 0.0) -> list[dict[str, Any]]:
    """Two groups: weights, which decay by ``weight_decay``; gains, biases and scalars (at most one dimension), which
    decay by ``norm_weight_decay``."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": norm_weight_decay},
    ]


def optimizer(model: nn.Module, weight_decay: float, norm_weight_decay: float) -> torch.optim.AdamW:
    """AdamW in one operation for many parameters, on CPUs as on GPUs; on a CPU it takes a third of the time."""
    return torch.optim.AdamW(parameter_groups(model, weight_decay, norm_weight_decay), fused=True)


def learning_rate(step: int, settings: Pretrain, schedule: Schedule) -> float:
    """Learning rate of a step, counted from 1: linear from ``initial_lr`` at step 0 to ``peak_lr`` at the end of the
    warm-up, then half a cosine down to ``final_lr`` at the last step (Loshchilov and Hutter 2017, eq. 5)."""
    initial, peak, final = settings.initial_lr, settings.peak_lr, settings.final_lr
    if step <= schedule.warmup:
        return initial + (peak - initial) * step / schedule.warmup
    done = (step - schedule.warmup) / (schedule.steps - schedule.warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * done)) / 2
