"""Method `sft`: a LoRA (or, with NF4, QLoRA) adapter by supervised fine-tuning on what sessions wrote.

PEFT holds the adapter; the loop is plain torch rather than TRL's SFTTrainer, because
- a resumed run must equal an uninterrupted one bit for bit: here a batch follows from seed and step alone, and the
  state is the adapter and AdamW's two moments, kept without pickles;
- sequences with a shared beginning (packing.py, grouping.py) and logits at the learnt tokens alone save more than half
  of the time on a CPU, and neither works with a collator;
- SIGTERM must lead to a checkpoint within one step;
- TRL requires datasets, pandas and pyarrow, a quarter of a gigabyte, for a list of a few hundred rows.

Loss: mean over the batch's learnt tokens of the cross-entropy, or of the divergence from a teacher (teaching.py). AdamW
without weight decay, gradients clipped to norm 1, learning rate falling linearly from its peak to a twentieth (the
recipe measured in the quickstart's scenario).
"""

import math
import pathlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from rune_trainer import adapter_io, checkpoint
from rune_trainer.contract import Exit, Sft
from rune_trainer.errors import Ending, terminated
from rune_trainer.examples import Example
from rune_trainer.grouping import Grouping
from rune_trainer.model import trainable
from rune_trainer.packing import pack
from rune_trainer.settings import shape_of
from rune_trainer.training_curve import Look
from rune_trainer.workers import ALONE, Alone

Loss = Callable[[list[Example], torch.Tensor, torch.Tensor], torch.Tensor]
"""(examples of one sequence, logits (K, V) at their K learnt tokens in single precision, those tokens (K,)) → the sum of their losses"""

FINAL_RATE = 0.05


@dataclass(frozen=True)
class Progress:
    step: int
    total: int
    loss: float | None
    """None for a method without one."""
    seconds_per_step: float


@dataclass
class Run:
    """What a training uses besides its data; everything here may be replaced in a test."""

    directory: pathlib.Path
    identity: dict[str, Any]
    every_steps: int
    stopping: Callable[[], bool] = lambda: False
    report: Callable[[Progress], None] = lambda _: None
    workers: Alone = ALONE


def batches(examples: list[Example], settings: Sft, step: int = 0) -> Iterator[list[Example]]:
    """Batches from `step` on. An epoch has every example once, in a new order, and its batches differ by one example at
    most: a remainder as a separate batch would give its few examples the weight of a whole step."""
    per_epoch = steps_per_epoch(examples, settings)
    for epoch in range(step // per_epoch, settings.epochs):
        order = torch.randperm(
            len(examples), generator=torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
        ).tolist()
        for number in range(step % per_epoch if epoch == step // per_epoch else 0, per_epoch):
            first, end = (len(order) * n // per_epoch for n in (number, number + 1))
            yield [examples[i] for i in order[first:end]]


def steps_per_epoch(examples: list[Example], settings: Sft) -> int:
    return math.ceil(len(examples) / settings.batch_size)


def total_steps(examples: list[Example], settings: Sft) -> int:
    return settings.epochs * steps_per_epoch(examples, settings)


def rate_at(step: int, total: int, peak: float) -> float:
    return peak * max(FINAL_RATE, 1 - step / total)


def cross_entropy(_: list[Example], logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum")


def batch_loss(
    model: Any, batch: list[Example], grouping: Grouping, loss_of: Loss = cross_entropy, workers: Alone = ALONE
) -> float:
    """Adds the gradient of the batch's mean loss to the parameters and returns that loss; each worker computes a part."""
    learnt, loss = sum(len(e.tail) for e in batch), 0.0
    mine = [batch[index] for index in workers.share([len(e) for e in batch])]
    for group in grouping.groups(mine):
        packed = pack(group)
        logits = model(**packed.inputs(model.device), use_cache=False).logits[0]
        part = loss_of(group, logits.float(), packed.targets.to(model.device)) / learnt
        part.backward()
        loss += part.item()
    return workers.total(loss, trainable(model).values())


def moments(optimizer: torch.optim.AdamW, parameters: dict[str, torch.nn.Parameter]) -> dict[str, torch.Tensor]:
    return {
        f"{kind}/{name}": optimizer.state[p][kind]
        for name, p in parameters.items()
        for kind in ("exp_avg", "exp_avg_sq")
        if p in optimizer.state
    }


def restore(optimizer: torch.optim.AdamW, parameters: dict[str, torch.nn.Parameter], state: checkpoint.State) -> None:
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(state.tensors[f"param/{name}"])
            optimizer.state[p] = {
                "step": torch.tensor(float(state.step)),
                **{kind: state.tensors[f"{kind}/{name}"].to(p.device) for kind in ("exp_avg", "exp_avg_sq")},
            }


@dataclass
class Outcome:
    losses: list[float] = field(default_factory=list)
    """Of every step."""
    looks: list[Look] = field(default_factory=list)
    """‖ΔW‖ at every checkpoint, and not at the end."""


def norm_now(model: Any, settings: Sft) -> float:
    return adapter_io.delta_norm(adapter_io.weights_of(model, torch.float32), shape_of(settings).scale)


def train(model: Any, examples: list[Example], settings: Sft, run: Run, loss_of: Loss = cross_entropy) -> Outcome:
    """Trains the adapter in place, from the newest checkpoint of this run if there is one."""
    parameters, total, grouping = trainable(model), total_steps(examples, settings), Grouping.of(model)
    optimizer = torch.optim.AdamW(parameters.values(), lr=settings.learning_rate, weight_decay=0.0)
    losses, looks, workers = list[float](), list[Look](), run.workers
    if state := checkpoint.newest(run.directory, run.identity):
        restore(optimizer, parameters, state)
        losses, looks = list(state.losses), list(state.looks)
    workers.check_equal(len(losses), parameters.values())

    def save() -> None:
        workers.check_equal(len(losses), parameters.values())
        tensors = {**{f"param/{name}": p for name, p in parameters.items()}, **moments(optimizer, parameters)}
        state = checkpoint.State(len(losses), tensors, losses, looks)
        workers.once(lambda: checkpoint.save(run.directory, run.identity, state))

    model.eval()  # the base is frozen: its own dropout would be noise that no checkpoint restores
    started, first = time.monotonic(), len(losses)
    for batch in batches(examples, settings, first):
        if workers.any(run.stopping()):
            if losses:
                save()
            raise terminated(f"asked to stop after {len(losses)} of {total} steps; the next attempt goes on from there")
        for group in optimizer.param_groups:
            group["lr"] = rate_at(len(losses), total, settings.learning_rate)
        loss = batch_loss(model, batch, grouping, loss_of, workers)
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        if not (math.isfinite(loss) and math.isfinite(norm.item())):
            raise Ending(
                Exit.BAD_INPUT,
                "NotFinite",
                f"loss {loss}, gradient norm {norm.item()} in step {len(losses) + 1} of {total}: training diverged; lower sft.learningRate or use precision Float32",
            )
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss)
        run.report(Progress(len(losses), total, loss, (time.monotonic() - started) / (len(losses) - first)))
        if len(losses) % run.every_steps == 0 and len(losses) < total:
            looks.append(Look.of(len(losses), {"deltaWNorm": norm_now(model, settings)}))
            save()
    return Outcome(losses, looks)
