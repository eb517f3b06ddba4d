"""Pipeline parallelism on CPU with --enforce-eager.

vLLM skips the dummy run there that creates a later pipeline rank's buffer of intermediate tensors, so the first request
crashes the engine (an assertion in sync_and_gather_intermediate_tensors). Here the buffer is created when it is needed.
"""

from typing import Any


def register() -> None:
    from vllm.v1.worker.cpu_model_runner import CPUModelRunner

    make_when_missing(CPUModelRunner)


def make_when_missing(runner: type) -> None:
    """Wraps the runner's method once; plugins may be registered several times in one process."""
    wrapped = runner.sync_and_gather_intermediate_tensors
    if getattr(wrapped, "makes_buffer", False):
        return

    def sync_and_gather_intermediate_tensors(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.intermediate_tensors is None:
            self.intermediate_tensors = self.model.make_empty_intermediate_tensors(
                batch_size=self.max_num_tokens, dtype=self.model_config.dtype, device=self.device
            )
        return wrapped(self, *args, **kwargs)

    sync_and_gather_intermediate_tensors.makes_buffer = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
    runner.sync_and_gather_intermediate_tensors = sync_and_gather_intermediate_tensors
