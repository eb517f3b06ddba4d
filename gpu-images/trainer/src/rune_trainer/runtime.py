"""The environment of a method: progress reports, a tracker, whether it must stop, and what computes beside it."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rune_trainer.mlflow import Tracker
from rune_trainer.sft import Progress
from rune_trainer.variety import TRACKED
from rune_trainer.workers import ALONE, Alone


@dataclass
class Runtime:
    report: Callable[[Progress], None]
    tracker: Tracker
    stop: threading.Event = field(default_factory=threading.Event)
    workers: Alone = ALONE

    def report_loss(self, progress: Progress) -> None:
        """Reports a step of training, and its loss to the tracker."""
        self.report(progress)
        self.tracker.metric("training_loss", progress.loss, progress.step)

    def track_corpus(self, metrics: dict[str, float]) -> None:
        """Reports what describes the corpus to the tracker, before anything is trained."""
        for name, value in metrics.items():
            self.tracker.metric(TRACKED[name], value, 0)
        self.tracker.flush()

    def stopping(self) -> bool:
        return self.stop.is_set()

    def heed_signals(self) -> None:
        """On SIGTERM the run ends after the current step, with a checkpoint."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
