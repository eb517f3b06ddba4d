"""Check `Torch`: forward and backward of a small network on every device, against the same in double precision on the CPU."""

from typing import Any

import torch

from rune_trainer.contract import EnvironmentJob
from rune_trainer.environment.job import Found, failed, passed

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 1e-1}
"""Largest relative error (Frobenius norm) of the output and of any gradient. A faulty device is off by far more."""
WIDTH, TOKENS, HEADS = 128, 64, 4


class Network(torch.nn.Module):
    """The parts of a transformer's layer: projections, attention, a norm and a gated unit."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = torch.nn.Linear(WIDTH, 3 * WIDTH), torch.nn.Linear(WIDTH, WIDTH)
        self.norm, self.up, self.down = (
            torch.nn.LayerNorm(WIDTH),
            torch.nn.Linear(WIDTH, 4 * WIDTH),
            torch.nn.Linear(4 * WIDTH, WIDTH),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, width) → (tokens, width)"""
        q, k, v = (part.view(TOKENS, HEADS, -1).transpose(0, 1)[None] for part in self.qkv(x).chunk(3, dim=-1))
        attended = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended[0].transpose(0, 1).reshape(TOKENS, WIDTH))
        return x + self.down(torch.nn.functional.silu(self.up(self.norm(x))))


def computed(device: str, dtype: torch.dtype) -> list[torch.Tensor]:
    """The output and every parameter's gradient, in double precision on the CPU."""
    torch.manual_seed(0)
    network, x = Network().to(device, dtype), torch.randn(TOKENS, WIDTH).to(device, dtype)
    answer = network(x)
    answer.square().mean().backward()
    return [
        t.detach().to("cpu", torch.float64)
        for t in (answer, *(p.grad for p in network.parameters() if p.grad is not None))
    ]


def error_of(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """Largest relative error; NaN if any value is."""
    errors = torch.stack([(one - other).norm() / other.norm() for one, other in zip(found, expected, strict=True)])
    return errors.max().item()


def look(job: EnvironmentJob, compute: Any = computed) -> Found:
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if job.device == "GPU" else ["cpu"]
    if not devices:
        return failed("Torch", "torch sees no GPU, so nothing could be computed on one")
    expected = computed("cpu", torch.float64)
    errors = {(device, dtype): error_of(compute(device, dtype), expected) for device in devices for dtype in TOLERANCE}
    wrong = [
        f"{name_of(dtype)} on {device} is off by {error:.2g}"
        for (device, dtype), error in errors.items()
        if not error <= TOLERANCE[dtype]
    ]
    if wrong:
        return failed(
            "Torch",
            f"forward and backward of a small network differ from the CPU's in double precision: {'; '.join(wrong)}",
        )
    worst = {dtype: max(error for (_, of), error in errors.items() if of is dtype) for dtype in TOLERANCE}
    told = ", ".join(f"{error:.1g} in {name_of(dtype)}" for dtype, error in worst.items())
    return passed(
        "Torch",
        f"forward and backward agree with the CPU's in double precision on {', '.join(devices)} (relative error {told})",
    )


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
