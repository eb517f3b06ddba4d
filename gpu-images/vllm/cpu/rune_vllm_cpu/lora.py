"""LoRA on CPU by one matrix product per adapter.

vLLM 0.32's CPU path copies every token's whole A and B, padded to --max-lora-rank, before it multiplies, and a token
without adapter (index -1) reads the *last* slot. Here the tokens of one adapter are multiplied together, and those
without adapter are unchanged. Measured on two cores with a 0.5 B model at rank 16: 62 tokens/s instead of 15–18.

vLLM applies LoRA in every layer that could have any. A slot whose adapter doesn't change a layer holds zeros there and is
left out, and which tokens are whose is found once for all layers of a forward pass: with seven adapters at once that change
only `down_proj`, 40 to 55 tokens/s instead of 26 to 29.

Shapes: inputs (tokens, inputs); A (slots, 1, rank, inputs) or without the 1; B (slots, 1, outputs, rank) likewise;
indices (tokens,), the slot of each token or -1.
"""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

Tensor = torch.Tensor
Groups = list[tuple[int, Tensor | slice]]

of_step = dict[tuple[int, int], tuple[Tensor, Groups]]()
"""By address and length of the indices: these, so that no others get the address, and their groups. Of one forward pass."""
held = dict[int, dict[int, bool]]()
"""By address of a layer's A or B: whether a slot has values there. Unknown slots are taken to have some."""
MOST_OF_STEP = 16


def groups(indices: Tensor) -> Groups:
    """(slot, its tokens) for every slot in use."""
    key = (indices.data_ptr(), indices.numel())
    if key not in of_step:
        if len(of_step) >= MOST_OF_STEP:
            of_step.clear()
        slots = torch.unique(indices).tolist()
        of_step[key] = (indices, [(slot, rows_of(indices, slot)) for slot in slots if slot >= 0])
    return of_step[key][1]


def rows_of(indices: Tensor, slot: int) -> Tensor | slice:
    """A slice where the slot's tokens are neighbours, which needs no copy of them."""
    rows = (indices == slot).nonzero(as_tuple=True)[0]
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first + 1 == len(rows) else rows


def used(stacked: Tensor, indices: Tensor) -> Groups:
    """The groups whose slot has values in this A or B."""
    slots = held.get(stacked.data_ptr(), {})
    return [(slot, rows) for slot, rows in groups(indices) if slots.get(slot, True)]


def weights_of(stacked: Tensor, slot: int) -> Tensor:
    weights = stacked[slot]
    return weights.squeeze(0) if weights.dim() == 3 else weights


def bgmv_shrink(inputs: Tensor, a: Tensor, output: Tensor, indices: Tensor, scaling: float = 1.0) -> None:
    """output[t] = scaling · A[slot(t)] inputs[t]; zero for tokens without adapter."""
    tokens, rank = inputs.shape[0], a.shape[-2]
    target = output[:tokens, :rank]
    target.zero_()
    for slot, rows in used(a, indices[:tokens]):
        target[rows] = (scaling * (inputs[rows].to(a.dtype) @ weights_of(a, slot).T)).to(output.dtype)


def bgmv_expand_slice(
    inputs: Tensor, b: Tensor, output: Tensor, indices: Tensor, offset: int, size: int, add_inputs: bool = True
) -> None:
    """output[t, offset:offset+size] += B[slot(t)] inputs[t] (= where add_inputs is false)."""
    tokens = min(inputs.shape[0], output.shape[0])
    target = output[:tokens, offset : offset + size]
    if not add_inputs:
        target.zero_()
    for slot, rows in used(b, indices[:tokens]):
        target[rows] += (inputs[:tokens][rows].to(b.dtype) @ weights_of(b, slot).T)[:, :size].to(output.dtype)


def bgmv_expand(inputs: Tensor, b: Tensor, output: Tensor, indices: Tensor, add_inputs: bool = True) -> None:
    bgmv_expand_slice(inputs, b, output, indices, 0, min(b.shape[-2], output.shape[1]), add_inputs)


def per_token(of_tokens: Callable[..., None]) -> Callable[..., None]:
    """The prefill form, which takes one slot per sequence and the sequences' lengths."""

    def of_sequences(
        inputs: Tensor,
        weights: Tensor,
        output: Tensor,
        _starts: Tensor,
        lengths: Tensor,
        slots: Tensor,
        _batches: int,
        _longest: int,
        _tokens: int,
        *rest: Any,
        **named: Any,
    ) -> None:
        of_tokens(inputs, weights, output, spread(slots, lengths), *rest, **named)

    return of_sequences


of_prefill = dict[tuple[int, int], tuple[Tensor, Tensor]]()
"""By address and length of the slots: these and the slot of every token. Of one forward pass."""


def spread(slots: Tensor, lengths: Tensor) -> Tensor:
    key = (slots.data_ptr(), slots.numel())
    if key not in of_prefill:
        of_prefill.clear()
        of_prefill[key] = (slots, torch.repeat_interleave(slots, lengths))
    return of_prefill[key][1]


def new_step() -> None:
    """The indices, whose tensors are used again and again, have other values from now on."""
    of_step.clear()
    of_prefill.clear()


def note(layer: Any, slot: int) -> None:
    """Remembers where a layer has values for a slot that was set or reset; not of a layer that sets slots in a way of its own."""
    if not getattr(type(layer).set_lora, "notes", False):
        return
    for stacked in (getattr(layer, "lora_a_stacked", ()), getattr(layer, "lora_b_stacked", ())):
        for weights in stacked if isinstance(stacked, tuple) else ():
            held.setdefault(weights.data_ptr(), {})[slot] = bool(weights[slot].any())


def noting(method: Callable[..., Any]) -> Callable[..., Any]:
    def noted(self: Any, index: int, *args: Any, **named: Any) -> Any:
        result = method(self, index, *args, **named)
        note(self, index)
        return result

    noted.notes = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
    return noted


def note_changes(layers: ModuleType) -> None:
    """Wraps what sets and resets slots once; plugins may be registered several times in one process."""
    for _, layer in inspect.getmembers(layers, inspect.isclass):
        for kind in layer.__mro__:
            for name in ("set_lora", "reset_lora"):
                method = vars(kind).get(name)
                if method is not None and not getattr(method, "notes", False):
                    setattr(kind, name, noting(method))


def register() -> None:
    import vllm.lora.layers as layers
    import vllm.lora.punica_wrapper.punica_cpu as punica

    note_changes(layers)
    wrapped = punica.PunicaWrapperCPU.update_metadata
    if not getattr(wrapped, "begins_step", False):

        def update_metadata(self: Any, *args: Any, **named: Any) -> Any:
            new_step()
            return wrapped(self, *args, **named)

        update_metadata.begins_step = True  # pyrefly: ignore [missing-attribute]  (the mark of what is wrapped)
        punica.PunicaWrapperCPU.update_metadata = update_metadata

    for name, function in {"shrink": bgmv_shrink, "expand": bgmv_expand, "expand_slice": bgmv_expand_slice}.items():
        setattr(punica, f"bgmv_{name}", function)
        setattr(punica, f"sgmv_{name}", per_token(function))
