"""Waiting without using a core.

Where stages and sandboxes share few cores, a spinning process takes the core of the one it waits for. Measured with a
0.5B model in two stages on two cores: 160 % of a core for 12 tokens a second spinning, 98 % for 17 sleeping, and the
same 67 tokens a second when all are busy. vLLM's CPU build spins in two places, in both of which it can also sleep:
readers of the message queue yield in a loop for a second after each message, although its writers notify through a
socket, and a later stage polls shared memory for its input, where torch.distributed (gloo) would block. Tensor
parallelism keeps its shared memory.

A notification can be lost: the writer's socket holds one at most, and drops the next while it still counts the one
before. vLLM looks again after five seconds, which is rare where readers spin, and was every few tokens where they
sleep: 38 s for two answers of twelve tokens. So they look again after five milliseconds.
"""

from typing import Any

RECHECK_MILLISECONDS = 5


def register() -> None:
    from vllm.distributed.device_communicators import shm_broadcast
    from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator

    sleep_at_once(shm_broadcast.SpinCondition)
    look_again_soon(shm_broadcast)
    block_between_stages(CpuCommunicator)


def sleep_at_once(condition: type) -> None:
    """Readers wait on the socket as soon as the queue is empty. Wraps once; plugins may be registered several times."""
    wrapped = condition.__init__
    if getattr(wrapped, "sleeps_at_once", False):
        return

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        wrapped(self, *args, **kwargs)
        self.busy_loop_s = 0

    __init__.sleeps_at_once = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
    condition.__init__ = __init__


def look_again_soon(queues: Any) -> None:
    """A reader whose notification was lost sleeps no longer than this.
    Raises AttributeError if vLLM's code has another form.
    """
    _ = queues.SHM_READER_RECHECK_INTERVAL_MS
    queues.SHM_READER_RECHECK_INTERVAL_MS = RECHECK_MILLISECONDS


def block_between_stages(communicator: type) -> None:
    """Pipeline groups (`pp…`) pass their tensors through torch.distributed. All ranks decide alike. Wraps once."""
    wrapped = communicator._all_group_ranks_share_shm_group_name
    if getattr(wrapped, "blocks_between_stages", False):
        return

    def _all_group_ranks_share_shm_group_name(self: Any) -> bool:
        return not self.unique_name.startswith("pp") and wrapped(self)

    _all_group_ranks_share_shm_group_name.blocks_between_stages = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
    communicator._all_group_ranks_share_shm_group_name = _all_group_ranks_share_shm_group_name
