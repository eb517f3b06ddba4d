"""Training of a hypernetwork: which questions each step uses for which trajectory, and the steps themselves.

A step's questions follow from seed and step alone, and all of the base's outputs for a trajectory are the same in every
step, so an interrupted run equals an uninterrupted one. AdamW with the laboratory's settings, gradients clipped to
norm 1. The gradient is accumulated on the generated pairs over as many passes through the base as memory requires, then
goes through the hypernetwork once.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from rune_trainer import checkpoint
from rune_trainer.alarms import Watch, repeated, tripped
from rune_trainer.contract import Exit
from rune_trainer.contract import Hypernetwork as Settings
from rune_trainer.encoder import Encoder
from rune_trainer.errors import Ending, terminated
from rune_trainer.functional import Pairs, by_trajectory, detached, joined, tensors_of
from rune_trainer.hypernetwork import Hypernetwork
from rune_trainer.lessons import Lesson
from rune_trainer.objectives import Asking, Draw, Interrupted, learnt_of, mean_cosine, never, reconstruction_errors
from rune_trainer.sft import FINAL_RATE, Progress, Run, moments, restore
from rune_trainer.training_curve import Look
from rune_trainer.workers import ALONE, Alone

WARMING_STEPS, WARMING_SHARE = 100, 0.1
BETAS, WEIGHT_DECAY = (0.9, 0.98), 0.01
DECISIVE = ("heldOutLoss", "rightMinusWrong", "rightMinusMean", "cosineDiversity", "deltaWNorm")
"""The inputs of alarms and verdicts."""
DIVERGED = "training diverged; lower hypernetwork.learningRate or use precision Float32"


@dataclass
class Training:
    """The inputs of a step."""

    network: Hypernetwork
    encoder: Encoder
    asking: Asking
    lessons: list[Lesson]
    settings: Settings
    watch: Watch
    wanted: Callable[[list[Lesson]], Pairs] | None = None
    """Pairs of the adapters that were fine-tuned from these trajectories, for `Reconstruction`."""


@dataclass
class Outcome:
    losses: list[float] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    """The last measurements of the alarms."""
    collapsed: str | None = None
    """Which of them ended the run."""
    looks: list[Look] = field(default_factory=list)
    """All measurements, in the order of steps."""


def draws_of(lessons: list[Lesson], settings: Settings, step: int) -> list[Draw]:
    """The questions of step `step`: an epoch has every trajectory once, in a new order, with its next questions."""
    drawn = []
    for place in range(step * settings.batch_size, (step + 1) * settings.batch_size):
        epoch, number = divmod(place, len(lessons))
        order = torch.randperm(len(lessons), generator=torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch))
        lesson = lessons[int(order[number])]
        drawn.append((lesson, epoch % len(lesson.groups)))
    return drawn


def rate_at(step: int, total: int, peak: float) -> float:
    """Rises over a tenth of the steps, at most 100, and falls linearly to a twentieth."""
    warming = max(1, min(WARMING_STEPS, round(total * WARMING_SHARE)))
    return peak * min(1.0, (step + 1) / warming) * max(FINAL_RATE, 1 - step / total)


def step_loss(training: Training, draws: list[Draw], workers: Alone = ALONE) -> float:
    """Adds the gradient of one step to the network's parameters and returns the loss; each worker computes the
    trajectories of its share.
    """
    mine = workers.share([cost_of(draw) for draw in draws])
    loss, generated = 0.0, Pairs()
    targets, gradients = list[torch.Tensor](), list[torch.Tensor | None]()
    if mine:
        lessons = [draws[index][0] for index in mine]
        features, mask, counts = training.encoder.batch([lesson.text for lesson in lessons])
        generated = by_trajectory(training.network(features, mask), counts)
        pairs = joined([generated, repeated(training.network.static(), len(lessons))])
        leaves = detached(pairs)
        loss = pairs_loss(training, draws, mine, leaves)
        targets, gradients = tensors_of(pairs), [leaf.grad for leaf in tensors_of(leaves)]
    weight = training.settings.diversity_weight
    if weight and len(draws) > 1:
        penalty = weight * mean_cosine(whole_batch(training, draws, mine, generated, workers))
        loss += penalty.item() if workers.first else 0.0
        if mine:
            targets, gradients = [*targets, penalty], [*gradients, None]
    if targets:
        torch.autograd.backward(targets, gradients)
    return workers.total(loss, training.network.parameters())


def cost_of(draw: Draw) -> int:
    """Tokens that the base reads for it."""
    lesson, which = draw
    return sum(map(len, lesson.text.chunks)) + sum(map(len, lesson.examples(which)))


def pairs_loss(training: Training, draws: list[Draw], mine: list[int], leaves: Pairs) -> float:
    """These draws' part of the mean over all; leaves its gradient on the pairs."""
    own = [draws[index] for index in mine]
    if training.wanted:
        loss = reconstruction_errors(leaves, training.wanted([lesson for lesson, _ in own])).mean()
        loss = loss * (len(own) / len(draws))
        loss.backward()
        return loss.item()
    learnt = learnt_of(draws)
    total, _ = training.asking.losses(own, leaves, per=learnt)
    return total / learnt


def whole_batch(training: Training, draws: list[Draw], mine: list[int], generated: Pairs, workers: Alone) -> Pairs:
    """The generated pairs of all draws, for what depends on all of them: those of other workers are constants.
    Together the gradients that reach each worker's own pairs are the gradient of the whole.
    """
    if workers.count == 1:
        return generated
    ranks = training.settings.rank * max(len(lesson.text.chunks) for lesson, _ in draws)
    with torch.no_grad():
        whole = {
            path: (a.new_zeros(len(draws), ranks, a.shape[-1]), b.new_zeros(len(draws), ranks, b.shape[-1]))
            for path, (a, b) in training.network.static().items()
        }
        put(whole, mine, generated)
        workers.add(tensors_of(whole))
    put(whole, mine, generated)
    return whole


def put(whole: Pairs, mine: list[int], generated: Pairs) -> None:
    """Writes these pairs into their places; their smaller ranks are filled with zeros."""
    for path, pair in generated.items():
        for full, own in zip(whole[path], pair, strict=True):
            full[mine, : own.shape[1]] = own


def train(training: Training, run: Run, tell: Callable[[dict[str, float], int], None] = lambda *_: None) -> Outcome:
    """Trains the network in place, from the newest checkpoint of this run if there is one, until the last step or an alarm.

    `tell` receives the alarms' measurements, and the number of the step before.
    """
    settings, parameters = training.settings, dict(training.network.named_parameters())
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=settings.learning_rate, betas=BETAS, weight_decay=WEIGHT_DECAY
    )
    done, workers = Outcome(), run.workers
    if state := checkpoint.newest(run.directory, run.identity):
        restore(optimizer, parameters, state)
        done.losses, done.looks = list(state.losses), list(state.looks)
    workers.check_equal(len(done.losses), training.network.state_dict().values())

    def save() -> None:
        workers.check_equal(len(done.losses), parameters.values())
        tensors = {**{f"param/{name}": p for name, p in parameters.items()}, **moments(optimizer, parameters)}
        state = checkpoint.State(len(done.losses), tensors, done.losses, done.looks)
        workers.once(lambda: checkpoint.save(run.directory, run.identity, state))

    if workers.count == 1:  # several agree on it between steps, which are shorter
        training.asking.stopping = run.stopping
    try:
        go_on(training, optimizer, done, run, save, tell)
    except Interrupted:
        if done.losses:
            save()
        raise terminated(
            f"asked to stop after {len(done.losses)} of {settings.steps} steps; the next attempt goes on from there"
        ) from None
    finally:
        training.asking.stopping = never
    return done


def go_on(
    training: Training,
    optimizer: torch.optim.AdamW,
    done: Outcome,
    run: Run,
    save: Callable[[], None],
    tell: Callable[[dict[str, float], int], None],
) -> None:
    """The steps that are left, and the measurements between and after them. Raises `Interrupted` where it must stop."""
    settings, workers = training.settings, run.workers
    started, first = time.monotonic(), len(done.losses)
    if first and first < settings.steps and first % run.every_steps == 0 and look(training, done, tell, workers):
        return
    while len(done.losses) < settings.steps:
        if workers.any(run.stopping()):
            raise Interrupted
        one_step(training, optimizer, done.losses, workers)
        step = len(done.losses)
        run.report(Progress(step, settings.steps, done.losses[-1], (time.monotonic() - started) / (step - first)))
        if step % run.every_steps == 0 and step < settings.steps:
            save()
            if look(training, done, tell, workers):
                return
    look(training, done, tell, workers)


def one_step(training: Training, optimizer: torch.optim.AdamW, losses: list[float], workers: Alone) -> None:
    settings, step = training.settings, len(losses)
    for group in optimizer.param_groups:
        group["lr"] = rate_at(step, settings.steps, settings.learning_rate)
    optimizer.zero_grad()
    loss = step_loss(training, draws_of(training.lessons, settings, step), workers)
    norm = torch.nn.utils.clip_grad_norm_(training.network.parameters(), 1.0)
    if not (math.isfinite(loss) and math.isfinite(norm.item())):
        raise Ending(
            Exit.BAD_INPUT,
            "NotFinite",
            f"loss {loss}, gradient norm {norm.item()} in step {step + 1} of {settings.steps}: {DIVERGED}",
        )
    optimizer.step()
    losses.append(loss)


def look(
    training: Training, done: Outcome, tell: Callable[[dict[str, float], int], None], workers: Alone = ALONE
) -> bool:
    """Measures, in the first worker; returns whether the run has collapsed. NaN is below no limit, so it would pass
    every alarm.
    A run that goes on at a checkpoint measures there again, which replaces what it had measured."""
    step = len(done.losses)
    done.measured = workers.once(lambda: training.watch.measure(training.network))
    if wrong := [name for name in DECISIVE if not math.isfinite(done.measured[name])]:
        raise Ending(
            Exit.BAD_INPUT,
            "NotFinite",
            f"after step {step} of {training.settings.steps} {wrong[0]} on held-out trajectories is {done.measured[wrong[0]]}: {DIVERGED}",
        )
    done.looks = [*(each for each in done.looks if each.step < step), Look.of(step, done.measured)]
    tell(done.measured, step)
    if 100 * step >= training.settings.stop.after_percent * training.settings.steps:
        done.collapsed = tripped(done.measured, training.settings.stop)
    return done.collapsed is not None
