"""Generated pairs → the tensors of an adapter as PEFT and vLLM read it, and back. The scale is in B, so alpha equals rank."""

import torch

from rune_trainer.adapter_io import PREFIX, Tensors
from rune_trainer.functional import Pairs


def tensors_from(pairs: Pairs, row: int, dtype: torch.dtype) -> Tensors:
    """The adapter of one row: A (rank, inputs), B (outputs, rank)."""
    tensors = {}
    for path, (a, b) in pairs.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"] = a[row].detach().to("cpu", dtype).contiguous()
        tensors[f"{PREFIX}{path}.lora_B.weight"] = b[row].detach().T.to("cpu", dtype).contiguous()
    return dict(sorted(tensors.items()))


def pairs_from(tensors: Tensors, scale: float, paths: list[str], device: torch.device) -> Pairs:
    """One row (N = 1) with the scale in B. A layer that the adapter leaves alone is zero; `KeyError` names nothing, so check first."""
    found = {}
    for path in paths:
        a, b = tensors[f"{PREFIX}{path}.lora_A.weight"], tensors[f"{PREFIX}{path}.lora_B.weight"]
        found[path] = (a.float()[None].to(device), b.float().T[None].to(device) * scale)
    return found


def paths_of(tensors: Tensors) -> set[str]:
    return {name.removeprefix(PREFIX).removesuffix(".lora_A.weight") for name in tensors if name.endswith(".lora_A.weight")}
