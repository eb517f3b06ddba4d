"""Progress of a run: a line in the log, and a message on NATS for subscribers. It never fails or delays a run.

Core NATS, fire and forget: a lost message is superseded by the next report a few seconds later.
"""

import asyncio
import sys
import threading
import time
from typing import Any

from rune_trainer.canonical import canonical
from rune_trainer.contract import PROGRESS_PREFIX, Nats
from rune_trainer.contract import Progress as Message
from rune_trainer.sft import Progress

EVERY_SECONDS = 2.0
CONNECT_SECONDS = 5


def message_of(progress: Progress) -> Message:
    return {
        "percent": 100 * progress.step // progress.total,
        "step": progress.step,
        "totalSteps": progress.total,
        **({} if progress.loss is None else {"loss": round(progress.loss, 4)}),
        "remainingSeconds": round((progress.total - progress.step) * progress.seconds_per_step),
    }


class Reporter:
    """Called after every step; reports the first, the last, and otherwise at most one per two seconds."""

    def __init__(self, where: Nats | None, uid: str, clock: Any = time.monotonic):
        self.publisher = Publisher(where, f"{PROGRESS_PREFIX}{uid}") if where else None
        self.clock, self.last = clock, float("-inf")

    def __call__(self, progress: Progress) -> None:
        if self.clock() - self.last < EVERY_SECONDS and progress.step < progress.total:
            return
        self.last = self.clock()
        message = message_of(progress)
        loss = "" if progress.loss is None else f" loss {progress.loss:.4f}"
        print(
            f"step {progress.step}/{progress.total}{loss}, {progress.seconds_per_step:.2f} s a step, {message['remainingSeconds']} s left",
            flush=True,
        )
        if self.publisher:
            self.publisher.send(canonical(message))

    def close(self) -> None:
        if self.publisher:
            self.publisher.close()


class Publisher:
    """A NATS connection in a separate thread."""

    def __init__(self, where: Nats, subject: str):
        self.where, self.subject, self.client = where, subject, None
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.connecting = self.run(self.connect())

    async def connect(self) -> None:
        import nats

        self.client = await nats.connect(
            self.where.url,
            user_credentials=self.where.credentials_file,
            connect_timeout=CONNECT_SECONDS,
            max_reconnect_attempts=-1,
            allow_reconnect=True,
            error_cb=quiet,
        )

    async def publish(self, data: bytes) -> None:
        if self.client:
            await self.client.publish(self.subject, data)

    async def finish(self) -> None:
        if self.client:
            await self.client.drain()

    def send(self, data: bytes) -> None:
        self.run(self.publish(data))

    def close(self) -> None:
        self.connecting.cancel()
        try:
            asyncio.run_coroutine_threadsafe(self.finish(), self.loop).result(CONNECT_SECONDS)
        except Exception as error:  # whatever the client raises: the run is over and its result is published
            print(f"the last progress message may be lost: {error}", file=sys.stderr, flush=True)
        self.loop.call_soon_threadsafe(self.loop.stop)

    def run(self, work: Any) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        future.add_done_callback(say_failure)
        return future


async def quiet(error: Exception) -> None:
    print(f"NATS: {error}; the run goes on", file=sys.stderr, flush=True)


def say_failure(done: Any) -> None:
    if not done.cancelled() and (error := done.exception()):
        print(f"progress could not be published: {error}; the run goes on", file=sys.stderr, flush=True)
