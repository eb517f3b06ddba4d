"""Trains a hypernetwork on private libraries and measures it on libraries that it never saw. It needs no network.

    python3 run.py --base DIR --data DIR --out DIR [--preset gpu|cores|smoke] [--minutes 7] [--steps N] [--batch N] [--probes N] [--keep]

`--base`: a Hugging Face directory; `--data`: the output of world/make.py. The trainer's own method does the work: its
corpus checks, steps, alarms and stop. After `--minutes` of training it stops early, and everything is measured all the
same. It writes to `--out` report.json, report.html and, with `--keep`, the hypernetwork's weights. Exit code 0 whatever
the finding; a negative result is a result.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

try:
    import rune_trainer  # noqa: F401
except ImportError:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "gpu-images/trainer/src"))

from inputs import job_of, references_of, settings_of, sources_of
from measure import Tallies, measured, questions_of, summary
from report_page import page
from safetensors.torch import save_file

from rune_trainer.contract import Exit, Job
from rune_trainer.errors import Ending
from rune_trainer.hyper_training import Training, train
from rune_trainer.lessons import Lesson, Question, Reader
from rune_trainer.method_hypernetwork import Material, material_of, training_of
from rune_trainer.pairs import pairs_of, scope_of, solved
from rune_trainer.rendering import load_tokenizer
from rune_trainer.sft import Progress, Run

KEPT_SHARE = 0.6
"""Share of the GPU's free memory for the frozen base's outputs for each trajectory."""


@dataclass
class Record:
    """The trial's observations, part by part."""

    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    losses: list[float | None] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    ending: str = ""

    @contextmanager
    def part(self, name: str) -> Generator[None, None, None]:
        from_ = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - from_, 1)

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)


def train_until(training: Training, job: Job, record: Record, minutes: float) -> None:
    """Trains to the last step, to an alarm, or to the end of the time, whichever comes first."""
    deadline = time.monotonic() + 60 * minutes

    def report(progress: Progress) -> None:
        record.losses.append(progress.loss)
        if progress.step % max(1, progress.total // 50) == 0:
            record.say(
                f"step {progress.step} of {progress.total}, loss {progress.loss:.4f}, {progress.seconds_per_step:.2f} s a step"
            )

    def tell(values: dict[str, float], step: int) -> None:
        told = {name: round(value, 5) for name, value in values.items() if "/" not in name}
        record.alarms.append({"step": step, **told})
        record.say(
            f"after step {step}: right − wrong {values['rightMinusWrong']:.4f} nats, right − mean {values['rightMinusMean']:.4f} nats"
        )

    assert job.corpus is not None
    directory = pathlib.Path(job.checkpoint.directory)
    run = Run(
        directory,
        {"corpus": job.corpus.digest},
        job.checkpoint.every_steps,
        lambda: time.monotonic() > deadline,
        report,
    )
    try:
        done = train(training, run, tell)
        record.ending = done.collapsed or f"all {len(done.losses)} steps"
    except Ending as ending:
        if ending.code != Exit.TERMINATED:
            raise
        record.ending = f"the time of {minutes:g} minutes was over after {len(record.losses)} steps"
        tell(training.watch.measure(training.network), len(record.losses))


def keep_more(training: Training) -> None:
    """A GPU has room for the base's outputs for every trajectory;
    they are then computed once instead of once per epoch.
    """
    if training.encoder.model.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        training.encoder.kept.room = int(KEPT_SHARE * torch.cuda.mem_get_info()[0])


def held_out(
    asked: argparse.Namespace, training: Training, material: Material
) -> tuple[list[Lesson], list[list[Question]]]:
    """The held-out libraries' trajectories, and the uses of their functions that no training shows."""
    reader = Reader(training.asking.tokenizer, training.settings)
    first = max(lesson.number for lesson in (*material.training, *material.held_out)) + 1
    lessons = reader.lessons(
        pairs_of(solved(sources_of(asked.data / "held-out.jsonl")), ("Programs",), scope_of), first
    )[: asked.probes]
    references = references_of(asked.data / "references.jsonl")
    projects = [json.loads(lesson.group)["project"] for lesson in lessons]
    return lessons, [
        questions_of(training.asking.tokenizer, references[project], training.settings.max_length)
        for project in projects
    ]


def familiar(lessons: list[Lesson]) -> list[list[Question]]:
    return [[question for group in lesson.groups for question in group] for lesson in lessons]


def measure(asked: argparse.Namespace, training: Training, material: Material, record: Record) -> dict[str, Any]:
    lessons, unseen = held_out(asked, training, material)
    results: dict[str, Tallies] = {}
    for name, questions in (("learntUses", familiar(lessons)), ("newUses", unseen)):
        with record.part(f"measuring {name}"):
            results[name] = measured(training, lessons, questions, record.say)
    return {name: summary(tallies) for name, tallies in results.items()}


def trial(asked: argparse.Namespace, scratch: pathlib.Path) -> dict[str, Any]:
    record = Record()
    settings = settings_of(asked.preset, asked.steps, asked.batch)
    corpus = asked.data / asked.corpus
    with record.part("reading"):
        job = job_of(asked.base, corpus, scratch, settings)
        assert job.corpus is not None
        tokenizer = load_tokenizer(job.base.path)
        material = material_of(job, tokenizer, sources_of(corpus))
    with record.part("loading"):
        training = training_of(job, tokenizer, material)
        keep_more(training)
    with record.part("training"):
        train_until(training, job, record, asked.minutes)
    found = measure(asked, training, material, record)
    if asked.keep:
        save_file(
            {name: t.detach().cpu().contiguous() for name, t in training.network.state_dict().items()},
            asked.out / "hypernetwork.safetensors",
        )
    return {
        "schema": "rune.dev/libraries/v1",
        "base": {"name": job.base.name, "digest": job.base.digest},
        "corpus": {
            "file": asked.corpus,
            "digest": job.corpus.digest,
            "libraries": len(material.training),
            "examples": material.examples,
        },
        "device": device_name(training),
        "settings": settings,
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "training": {
            "steps": len(record.losses),
            "ending": record.ending,
            "losses": [round(x, 4) for x in record.losses if x is not None],
            "alarms": record.alarms,
        },
        "heldOut": found,
        "seconds": {**record.seconds, "all": round(time.monotonic() - record.began, 1)},
    }


def device_name(training: Training) -> str:
    device = training.encoder.model.device
    return (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads of a CPU"
    )


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument(
        "--corpus",
        default="training.jsonl",
        help="file of --data to learn from; shuffled.jsonl is the control that must collapse",
    )
    parser.add_argument("--preset", choices=("gpu", "cores", "smoke"), default="gpu")
    parser.add_argument("--minutes", type=float, default=7, help="most minutes of training")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--probes", type=int, default=64, help="held-out libraries that are measured")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    asked = arguments(argv)
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libraries.") as scratch:
        try:
            report = trial(asked, pathlib.Path(scratch))
        except Ending as ending:
            print(f"{ending.reason}: {ending.message}", file=sys.stderr)
            return ending.code
    (asked.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (asked.out / "report.html").write_text(page(report))
    print(json.dumps({"ending": report["training"]["ending"], **report["heldOut"]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
