"""The frozen base and the LoRA pairs on its linear layers, on any device."""

import os
import pathlib
from typing import Any

import torch

from rune_trainer.contract import Hypernetwork, Sft
from rune_trainer.errors import bad_input, base_unusable, misconfigured
from rune_trainer.settings import Loading, Shape, shape_of

PRECISIONS = {"BFloat16": torch.bfloat16, "Float32": torch.float32}


def device_of() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_base(directory: str, settings: Sft | Hypernetwork | Loading, device: torch.device) -> Any:
    """The base from transformers; quantized to 4 bits while it is loaded if the job says NF4."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    if not pathlib.Path(directory, "config.json").is_file():
        raise misconfigured(
            "BaseMissing",
            f"{directory} holds no model (config.json is missing); was it staged before the trainer started?",
        )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    dtype = PRECISIONS[settings.precision]
    quantized = {}
    if settings.quantization == "NF4":
        quantized["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    with base_unusable(f"the model in {directory}"):
        model = AutoModelForCausalLM.from_pretrained(
            directory,
            dtype=dtype,
            device_map={"": str(device)},
            attn_implementation="sdpa",
            local_files_only=True,
            **quantized,
        )
    keep_differentiable(model)
    return model.eval().requires_grad_(False)


def keep_differentiable(model: Any) -> None:
    """At its first pass without gradients on a CPU, bitsandbytes permanently repacks a layer in four bits for inference;
    after that no gradient gets through it, and nothing reports that.
    """
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False


def linear_shapes(model: Any, modules: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Path of each linear layer that can have a LoRA pair → (inputs, outputs)."""
    return {
        name: (layer.in_features, layer.out_features)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and name.rsplit(".", 1)[-1] in modules
    }


def target_shapes(model: Any, modules: tuple[str, ...], section: str) -> dict[str, tuple[int, int]]:
    """`linear_shapes`, or a refusal of modules that the base doesn't have; `section` is the job document's."""
    shapes = linear_shapes(model, modules)
    if absent := sorted(set(modules) - {path.rsplit(".", 1)[-1] for path in shapes}):
        raise bad_input(
            f"{section}.targetModules names {', '.join(absent)}, which the base does not have; leave them out"
        )
    numbered = {path.rsplit(".", 1)[-1] for path in shapes if layer_number(path) is not None}
    if outside := sorted(set(modules) - numbered):
        raise bad_input(
            f"{section}.targetModules names {', '.join(outside)}, outside the base's numbered layers, which no server loads; leave it out"
        )
    return shapes


def layer_number(path: str) -> int | None:
    """The number of the layer that a module belongs to: 3 for `model.layers.3.mlp.down_proj`; None outside the numbered layers."""
    return next((int(step) for step in path.split(".") if step.isdigit()), None)


def add_lora(model: Any, settings: Sft) -> Any:
    """A PEFT model whose A is drawn from the job's seed and whose B is zero: at first its outputs are the base's."""
    target_shapes(model, settings.target_modules, "sft")
    torch.manual_seed(settings.seed)
    return with_lora(model, shape_of(settings))


def with_lora(model: Any, shape: Shape) -> Any:
    """A PEFT model with a pair on every linear layer of the shape's modules, and on nothing else.

    For some bases with experts PEFT moves a module's name to the experts' fused tensors, and leaves out the layers of that
    name; that is refused.
    """
    from peft import LoraConfig, get_peft_model

    wanted = set(linear_shapes(model, shape.target_modules))
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=shape.rank,
            lora_alpha=shape.alpha,
            lora_dropout=0.0,
            bias="none",
            task_type="CAUSAL_LM",
            target_modules=list(shape.target_modules),
        ),
    )
    got = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in trainable(adapted)}
    if odd := sorted(wanted ^ got):
        modules = ", ".join(sorted({path.rsplit(".", 1)[-1] for path in odd}))
        raise bad_input(
            f"targetModules names {modules}: PEFT can't adapt exactly the base's linear layers of that name ({len(odd)} differ, first {odd[0]}), because its experts are fused; leave them out"
        )
    return adapted


def put_weights(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Loads an adapter's weights into a PEFT model; every one of its pairs must be there."""
    own = {name.replace(".default.weight", ".weight"): p for name, p in model.named_parameters() if ".lora_" in name}
    if own.keys() != tensors.keys():
        raise bad_input(
            f"{len(own.keys() ^ tensors.keys())} tensors of the adapter and of the model are not the same, first {min(own.keys() ^ tensors.keys())}"
        )
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(tensors[name])


def trainable(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def vocabulary_of(model: Any) -> int:
    return model.config.get_text_config().vocab_size
