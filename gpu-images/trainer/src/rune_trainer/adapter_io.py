"""The adapter's two files, as PEFT and vLLM read them, and the conditions for loading them.

Keys are `base_model.model.<path of the layer>.lora_A.weight` with shape (rank, inputs) and `.lora_B.weight` with
(outputs, rank); rank and alpha are uniform, because vLLM reads no patterns. Equal weights give equal bytes.
"""

import math
import pathlib
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from rune_trainer.canonical import canonical
from rune_trainer.contract import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Base, Exit
from rune_trainer.errors import Ending
from rune_trainer.settings import Shape

PREFIX = "base_model.model."
TRAIN_BETTER = "lower sft.learningRate, or train longer or on more sessions"

Tensors = dict[str, torch.Tensor]


def weights_of(model: Any, dtype: torch.dtype) -> Tensors:
    """The trained pairs in the precision in which they are served."""
    from peft import get_peft_model_state_dict

    return {
        name: t.detach().to("cpu", dtype).contiguous() for name, t in sorted(get_peft_model_state_dict(model).items())
    }


def round_in_place(model: Any, dtype: torch.dtype) -> None:
    """Rounds the model's weights as the files will, so that its fingerprint is the files'."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if ".lora_" in name:
                p.copy_(p.to(dtype))


def config_of(base: Base, shape: Shape) -> dict[str, Any]:
    return {
        "base_model_name_or_path": f"{base.name}@{base.digest}",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": shape.alpha,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": shape.rank,
        "target_modules": sorted(shape.target_modules),
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": False,
    }


def problem_of(tensors: Tensors, shapes: dict[str, tuple[int, int]], rank: int, zero: bool = False) -> str | None:
    """Why the weights may not be loaded on a base whose target layers are `shapes` (path → inputs, outputs), or None.
    Only a control may be `zero`."""
    expected = {f"{PREFIX}{path}.lora_A.weight": (rank, inputs) for path, (inputs, _) in shapes.items()}
    expected |= {f"{PREFIX}{path}.lora_B.weight": (outputs, rank) for path, (_, outputs) in shapes.items()}
    if odd := sorted(set(expected) ^ set(tensors)):
        return f"{len(odd)} tensors are missing or unknown to the base, first {odd[0]}"
    if wrong := sorted(name for name, shape in expected.items() if tuple(tensors[name].shape) != shape):
        return f"{wrong[0]} has shape {tuple(tensors[wrong[0]].shape)}, the base needs {expected[wrong[0]]}"
    if bad := sorted(name for name, t in tensors.items() if not torch.isfinite(t).all()):
        return f"{len(bad)} tensors hold NaN or infinity, first {bad[0]}"
    if not zero and not any(t.any() for name, t in tensors.items() if ".lora_B." in name):
        return "every B is zero, so the adapter changes nothing"
    return None


def delta_norm(tensors: Tensors, scale: float) -> float:
    """Frobenius norm of the change of all weights together, without materialising it: ‖BA‖² = tr((BᵀB)(AAᵀ))."""
    squares = 0.0
    for name, a in tensors.items():
        if ".lora_A." in name:
            b = tensors[name.replace(".lora_A.", ".lora_B.")].double()
            squares += torch.sum((b.T @ b) * (a.double() @ a.double().T)).item()
    return scale * math.sqrt(squares)


def write(
    directory: pathlib.Path,
    base: Base,
    shape: Shape,
    tensors: Tensors,
    shapes: dict[str, tuple[int, int]],
    zero: bool = False,
    advice: str = TRAIN_BETTER,
) -> None:
    """Writes the adapter's files, or refuses weights that would harm an engine.
    `shapes` are those of the base's target layers.
    """
    if problem := problem_of(tensors, shapes, shape.rank, zero):
        raise Ending(
            Exit.BAD_INPUT, "UnusableAdapter", f"the run ended with weights that may not be served: {problem}; {advice}"
        )
    directory.mkdir(parents=True, exist_ok=True)
    save_file(dict(sorted(tensors.items())), directory / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    (directory / ADAPTER_CONFIG).write_bytes(canonical(config_of(base, shape)))
    for path in directory.iterdir():
        path.chmod(0o644)


def read(directory: pathlib.Path) -> Tensors:
    return load_file(directory / ADAPTER_WEIGHTS)
