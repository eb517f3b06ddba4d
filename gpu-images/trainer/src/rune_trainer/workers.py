"""The processes of a data-parallel training, one for each GPU, and what they compute together.

Every worker has the whole model and computes a part of each step's batch; their gradients are summed, so all of them
make the same step. The batches, their order and the divisor of a loss don't depend on the number of workers. The first
worker alone writes, reports and publishes.

Gradients travel over NCCL, or Gloo on CPUs; everything else over Gloo. Both use the loopback interface only, and the
workers find each other through a file.
"""

import contextlib
import datetime
import os
import pathlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from rune_trainer.errors import Ending
from rune_trainer.model import device_of

T = TypeVar("T")

BUCKET_ELEMENTS = 1 << 25
"""Gradients are copied into buffers of about this many elements, so that one exchange serves many small tensors."""
SILENT_SECONDS = 1800
"""A worker that waits longer for another one gives up: the last resort against a device that hangs. The first worker
measures, hashes the base and pulls the corpus while the others wait, so this is long."""
INTERFACE = "lo"


class Lost(Exception):
    """A worker couldn't exchange anything with the others: one of them has ended, or was silent for too long."""


class Alone:
    """A training in one process: nothing to divide, to wait for or to sum."""

    number, count = 0, 1

    @property
    def device(self) -> torch.device:
        return device_of()

    @property
    def first(self) -> bool:
        """Whether this is the worker that writes, reports and publishes."""
        return self.number == 0

    def share(self, costs: Sequence[int]) -> list[int]:
        """This worker's members of a batch, as indices in order; `costs` are those of all members.
        None are left where a batch has fewer members than there are workers."""
        return list(range(len(costs)))

    def once(self, compute: Callable[[], T]) -> T:
        """The result of the first worker, which alone computes it; an `Ending` is raised in every worker."""
        return compute()

    def any(self, flag: bool) -> bool:
        """Whether it is true in any worker."""
        return flag

    def gather(self, own: list[T]) -> list[T]:
        """The lists of all workers, one after the other."""
        return own

    def add(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replaces each tensor by its sum over the workers."""

    def total(self, loss: float, parameters: Iterable[torch.nn.Parameter]) -> float:
        """Sums the gradients in place, and returns the sum of the losses. They must be of one step alone.
        A parameter that this step didn't use gets zeros, so that the optimizer has a state for every one."""
        gradients_of(parameters)
        return loss

    def check_equal(self, step: int, tensors: Iterable[torch.Tensor] = ()) -> None:
        """Ends the run unless all workers are at this step and have the same bits in these tensors."""


class Several(Alone):
    """One worker of `count`, in a process of its own that has joined the others."""

    def __init__(self, number: int, count: int, device: torch.device):
        self.number, self.count, self.own = number, count, device

    @property
    def device(self) -> torch.device:
        return self.own

    def share(self, costs: Sequence[int]) -> list[int]:
        """The most expensive member first, each to the worker with the least to do."""
        loads, mine = [0] * self.count, list[int]()
        for index in sorted(range(len(costs)), key=lambda each: -costs[each]):
            least = loads.index(min(loads))
            loads[least] += costs[index]
            if least == self.number:
                mine.append(index)
        return sorted(mine)

    def once(self, compute: Callable[[], T]) -> T:
        said: list[Any] = [None]
        if self.first:
            try:
                said = [compute()]
            except Ending as ending:
                said = [ending]
        with exchanging():
            dist.broadcast_object_list(said, src=0)
        if isinstance(said[0], Ending):
            raise said[0]
        return said[0]

    def any(self, flag: bool) -> bool:
        flags = torch.tensor([int(flag)])
        with exchanging():
            dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags.item())

    def gather(self, own: list[T]) -> list[T]:
        parts: list[Any] = [None] * self.count
        with exchanging():
            dist.all_gather_object(parts, own)
        return [each for part in parts for each in part]

    def add(self, tensors: Iterable[torch.Tensor]) -> None:
        for part in buckets(tensors):
            together = torch.cat([tensor.flatten() for tensor in part])
            with exchanging():
                dist.all_reduce(together)
            for tensor, summed in zip(part, together.split([tensor.numel() for tensor in part]), strict=True):
                tensor.copy_(summed.view_as(tensor))

    @torch.no_grad()
    def total(self, loss: float, parameters: Iterable[torch.nn.Parameter]) -> float:
        self.add(gradients_of(parameters))
        losses = torch.tensor([loss], dtype=torch.float64)
        self.add([losses])
        return losses.item()

    def check_equal(self, step: int, tensors: Iterable[torch.Tensor] = ()) -> None:
        states = self.gather([(step, fingerprint(tensors))])
        if any(state != states[0] for state in states):
            raise Ending(
                1,
                "Unexpected",
                f"the {self.count} workers are at the steps {', '.join(str(each) for each, _ in states)} and don't have the same weights, so their devices or the connections "
                "between them computed differently; look at the node's GPUs. The next attempt goes on from the last checkpoint",
            )


ALONE = Alone()


def gradients_of(parameters: Iterable[torch.nn.Parameter]) -> list[torch.Tensor]:
    gradients = list[torch.Tensor]()
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
        gradients.append(p.grad)
    return gradients


@contextlib.contextmanager
def exchanging() -> Generator[None, None, None]:
    """What torch raises where another worker is missing, as `Lost`."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise Lost(str(error)) from error


def buckets(tensors: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The tensors in order, in groups of at most `BUCKET_ELEMENTS` together; a larger tensor is a group by itself."""
    part, size = list[torch.Tensor](), 0
    for tensor in tensors:
        if part and size + tensor.numel() > BUCKET_ELEMENTS:
            yield part
            part, size = list[torch.Tensor](), 0
        part, size = [*part, tensor], size + tensor.numel()
    if part:
        yield part


def fingerprint(tensors: Iterable[torch.Tensor]) -> list[int]:
    """The sum of each tensor's bits, read as whole numbers of 16 bits; NaN counts like any other value."""
    sums = [tensor.detach().contiguous().flatten().view(torch.int16).sum(dtype=torch.int64) for tensor in tensors]
    return torch.stack(sums).tolist() if sums else []


def join(number: int, count: int, meeting: pathlib.Path, device: torch.device) -> Several:
    """Makes this process worker `number`; returns once all have come to the file `meeting` and have exchanged a
    tensor. Raises `Lost` if one doesn't come.
    """
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = INTERFACE
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with exchanging():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            init_method=f"file://{meeting}",
            rank=number,
            world_size=count,
            timeout=datetime.timedelta(seconds=SILENT_SECONDS),
        )
    workers = Several(number, count, device)
    workers.add([torch.ones(1, device=device)])
    return workers
