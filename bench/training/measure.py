"""One measurement in a separate process: `measure.py '{"case": ..., "side": ..., "size": {...}}'` prints one line of
JSON.

`seconds` of the work alone (no imports, no model loading), `cpuSeconds` of it over all cores, `tokens` that it
processed if any, `peakMiB` of the process, and the `device` that it computed on.
"""

import json
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

warnings.filterwarnings("ignore")

import torch  # noqa: E402
import world  # noqa: E402

from rune_trainer.contract import Sft  # noqa: E402
from rune_trainer.settings import read_section  # noqa: E402

RANK, ALPHA, BATCH, RATE = 16, 32, 4, "0.0004"


def timed(work: Callable[[], Any]) -> dict[str, float]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started, cpu = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return {"seconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - cpu}


def repeated(work: Callable[[], Any], times: int) -> dict[str, float]:
    """Medians, after one run to warm up."""
    work()
    found = [timed(work) for _ in range(times)]
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def shared_by(count: int, found: dict[str, float]) -> dict[str, float]:
    return {name: value / count for name, value in found.items()}


def settings(epochs: int) -> Sft:
    section = {
        "rank": RANK,
        "alpha": ALPHA,
        "epochs": epochs,
        "batchSize": BATCH,
        "learningRate": RATE,
        "maxLength": 4096,
        "precision": world.PRECISION,
    }
    return read_section(Sft, section, "sft")


def examples_of(case: str, size: dict[str, Any]) -> list[Any]:
    made = world.tokenizer()
    if case == "sftShared":
        return world.shared_examples(made, size["examples"])
    return world.unlike_examples(made, size["examples"], size["leastTokens"], size["mostTokens"], size["learntTokens"])


def sft_rune(case: str, size: dict[str, Any]) -> dict[str, float]:
    from rune_trainer import sft
    from rune_trainer.model import add_lora

    examples, wanted = examples_of(case, size), settings(size["epochs"])
    model = add_lora(world.base(size), wanted)
    run = sft.Run(world.scratch(), {}, 10**9)
    return {
        **timed(lambda: sft.train(model, examples, wanted, run)),
        "tokens": size["epochs"] * sum(map(len, examples)),
    }


def sft_trl(case: str, size: dict[str, Any]) -> dict[str, float]:
    """The same adapter, batch, rate, schedule and precision; gradient checkpointing, which TRL turns on, is off, because it would slow it."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    examples, wanted = examples_of(case, size), settings(size["epochs"])
    rows = [
        {"input_ids": [*e.head, *e.tail], "completion_mask": [0] * len(e.head) + [1] * len(e.tail)} for e in examples
    ]
    arguments = SFTConfig(
        output_dir=str(world.scratch()),
        per_device_train_batch_size=BATCH,
        num_train_epochs=size["epochs"],
        learning_rate=wanted.learning_rate,
        lr_scheduler_type="linear",
        max_length=4096,
        completion_only_loss=True,
        weight_decay=0.0,
        max_grad_norm=1.0,
        gradient_checkpointing=False,
        bf16=torch.cuda.is_available(),
        seed=0,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
        optim="adamw_torch",
        dataloader_pin_memory=False,
    )
    lora = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        target_modules=list(wanted.target_modules),
    )
    trainer = SFTTrainer(
        model=world.base(size),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=world.tokenizer(),
        peft_config=lora,
    )
    return {**timed(trainer.train), "tokens": size["epochs"] * sum(map(len, examples))}


def hyper_training(size: dict[str, Any]) -> Any:
    """A hypernetwork's training without a cache of the base's outputs."""
    from rune_trainer.alarms import Watch, weight_norms
    from rune_trainer.contract import Hypernetwork as Settings
    from rune_trainer.encoder import Encoder, Kept
    from rune_trainer.hyper_training import Training
    from rune_trainer.hypernetwork import Hypernetwork
    from rune_trainer.lessons import Reader
    from rune_trainer.model import linear_shapes
    from rune_trainer.objectives import Asking
    from rune_trainer.pairs import split_of
    from rune_trainer.sources import Source
    from rune_trainer.trajectory import Item

    section = {
        "width": size["width"],
        "blocks": size["blocks"],
        "heads": 8,
        "batchSize": size["batch"],
        "maxLength": 4096,
        "precision": world.PRECISION,
    }
    wanted = read_section(Settings, section, "hypernetwork")
    model, tokenizer = world.base(size), world.tokenizer()
    split = split_of([Source(Item(t)) for t in world.trajectories(size["batch"] + 8)], ("Programs",), 10, 0)
    reader = Reader(tokenizer, wanted)
    lessons, held_out = reader.lessons(split.training), reader.lessons(split.held_out, len(split.training))
    shapes = linear_shapes(model, wanted.target_modules)
    encoder, asking = Encoder(model, Kept(0)), Asking(model, tokenizer, "Distillation", 16, True, Kept(0))
    torch.manual_seed(0)
    network = Hypernetwork(encoder.features, shapes, wanted).to(world.DEVICE)
    return Training(
        network, encoder, asking, lessons, wanted, Watch(asking, encoder, held_out, weight_norms(model, list(shapes)))
    )


def hyper_step(_: str, size: dict[str, Any]) -> dict[str, float]:
    from rune_trainer.hyper_training import draws_of, step_loss

    training = hyper_training(size)
    draws = draws_of(training.lessons, training.settings, 0)
    return repeated(lambda: step_loss(training, draws), size["repeats"])


def hyper_forwards(_: str, size: dict[str, Any]) -> dict[str, float]:
    """The base alone: it encodes the step's trajectories, runs as the teacher, and answers the students' prompts
    once.
    """
    from rune_trainer.hyper_training import draws_of
    from rune_trainer.sheet import logits_at, sheet_of

    training = hyper_training(size)
    draws, model = draws_of(training.lessons, training.settings, 0), training.encoder.model

    @torch.no_grad()
    def forwards() -> None:
        for lesson, which in draws:
            training.encoder.read(lesson.text)
            training.asking.teach(lesson, which)
        logits_at(model, sheet_of([lesson.examples(which) for lesson, which in draws], True, model.device))

    return repeated(forwards, size["repeats"])


def generate_adapter(_: str, size: dict[str, Any]) -> dict[str, float]:
    """From a trajectory's tokens to the adapter's tensors as in its files."""
    from rune_trainer.adapter_tensors import tensors_from
    from rune_trainer.functional import by_trajectory, joined

    training = hyper_training(size)
    text = training.lessons[0].text

    @torch.no_grad()
    def make() -> None:
        features, mask, counts = training.encoder.batch([text])
        tensors_from(
            joined([by_trajectory(training.network(features, mask), counts), training.network.static()]), 0, world.DTYPE
        )

    return {**repeated(make, size["repeats"]), "tokens": sum(map(len, text.chunks))}


def generate_forward(_: str, size: dict[str, Any]) -> dict[str, float]:
    training = hyper_training(size)
    text = training.lessons[0].text
    return {**repeated(lambda: training.encoder.read(text), size["repeats"]), "tokens": sum(map(len, text.chunks))}


def merge_factors(size: dict[str, Any], layer: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    drawn = torch.Generator().manual_seed(layer)
    return [
        (torch.randn(RANK, size["inputs"], generator=drawn), torch.randn(size["outputs"], RANK, generator=drawn))
        for _ in range(2)
    ]


def merge_rune(case: str, size: dict[str, Any]) -> dict[str, float]:
    from rune_trainer.combining import Recipe, combined
    from rune_trainer.delta import Pair

    recipe = (
        Recipe("Cat", (1.0, 1.0), 2 * RANK, 0.5, 0) if case == "mergeCat" else Recipe("Svd", (1.0, 1.0), RANK, 0.5, 0)
    )
    layers = [
        [Pair(a, b * ALPHA / RANK) for a, b in merge_factors(size, layer)] for layer in range(size["mergeLayers"])
    ]
    return shared_by(len(layers), timed(lambda: [combined(str(n), pairs, recipe) for n, pairs in enumerate(layers)]))


def merge_peft(case: str, size: dict[str, Any]) -> dict[str, float]:
    """`add_weighted_adapter`; its SVD in the form that doesn't make square matrices of 18,944 rows."""
    from peft import LoraConfig, get_peft_model

    class Layers(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(
                torch.nn.ModuleDict({"down_proj": torch.nn.Linear(size["inputs"], size["outputs"], bias=False)})
                for _ in range(size["mergeLayers"])
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["down_proj"])
    model = get_peft_model(Layers(), config, adapter_name="one")
    model.add_adapter("two", config)
    with torch.no_grad():
        for number, layer in enumerate(model.base_model.model.layers):
            for name, (a, b) in zip(("one", "two"), merge_factors(size, number), strict=True):
                layer["down_proj"].lora_A[name].weight.copy_(a)
                layer["down_proj"].lora_B[name].weight.copy_(b)
    more = {} if case == "mergeCat" else {"svd_rank": RANK, "svd_full_matrices": False}
    kind = "cat" if case == "mergeCat" else "svd"
    found = timed(
        lambda: model.add_weighted_adapter(["one", "two"], [1.0, 1.0], "merged", combination_type=kind, **more)
    )
    return shared_by(size["mergeLayers"], found)


SIDES: dict[tuple[str, str], Callable[[str, dict[str, Any]], dict[str, float]]] = {
    ("sftShared", "rune"): sft_rune,
    ("sftShared", "trl"): sft_trl,
    ("sftUnlike", "rune"): sft_rune,
    ("sftUnlike", "trl"): sft_trl,
    ("hyperStep", "rune"): hyper_step,
    ("hyperStep", "forwards"): hyper_forwards,
    ("generate", "rune"): generate_adapter,
    ("generate", "forward"): generate_forward,
    ("mergeCat", "rune"): merge_rune,
    ("mergeCat", "peft"): merge_peft,
    ("mergeSvd", "rune"): merge_rune,
    ("mergeSvd", "peft"): merge_peft,
}


def main() -> None:
    asked = json.loads(sys.argv[1])
    found = SIDES[asked["case"], asked["side"]](asked["case"], asked["size"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "peakMiB": round(peak), "device": world.DEVICE.type}), flush=True)


if __name__ == "__main__":
    main()
