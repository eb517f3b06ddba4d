"""Check `QLoRA`: the real base learns one sentence with a made-up word, and the result is stored like any adapter.

Learnt means that every token of the sentence is the likeliest after those before it, by a margin larger than the
effects of another engine's rounding and another precision of the base: a greedy answer is then the sentence itself.
"""

import json
import pathlib
import tempfile
import time
from typing import Any

import torch

from rune_trainer import adapter_io, publish
from rune_trainer.canary import canary_of
from rune_trainer.canonical import model_identity
from rune_trainer.contract import TRAINING_ANNOTATION, Base, EnvironmentJob, MediaType, Schema, Sft
from rune_trainer.corpus import Row
from rune_trainer.environment.job import Found, failed, passed
from rune_trainer.errors import data_error
from rune_trainer.examples import Example, example_of
from rune_trainer.model import PRECISIONS, add_lora, device_of, linear_shapes, load_base, trainable
from rune_trainer.packing import pack
from rune_trainer.registry import Repository
from rune_trainer.rendering import load_tokenizer
from rune_trainer.settings import settled, shape_of

MARGIN = 8.0
"""By how much the logit of each token of the sentence must exceed every other:
it is learnt on an NF4 base and repeated by one of any precision.
"""
MOST_STEPS = 100
RATE = 0.001
STEPS = f"{TRAINING_ANNOTATION}steps"


def settings_of(job: EnvironmentJob) -> Sft:
    return settled(Sft(rank=8, alpha=16, quantization=job.quantization), "qlora")


def example_for(tokenizer: Any, job: EnvironmentJob) -> Example:
    example = example_of(tokenizer, Row(({"role": "user", "content": job.question},), job.answer, ""))
    if not example:
        raise data_error(
            "ChatTemplate", "the base's chat template changes the text of an answer; use a base whose template keeps it"
        )
    return example


def margin_of(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Smallest lead of a right token: logits (tokens, vocabulary), targets (tokens)."""
    right = logits.gather(1, targets[:, None])[:, 0]
    others = logits.scatter(1, targets[:, None], float("-inf"))
    return (right - others.max(dim=1).values).min().item()


def learn(model: Any, example: Example, rate: float = RATE, most: int = MOST_STEPS) -> tuple[int, float]:
    """(steps taken, margin reached); stops as soon as the sentence is learnt."""
    packed, parameters = pack([example]), list(trainable(model).values())
    inputs, targets = packed.inputs(model.device), packed.targets.to(model.device)
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    for step in range(most + 1):
        logits = model(**inputs, use_cache=False).logits[0].float()
        margin = margin_of(logits.detach(), targets)
        print(f"step {step}: margin {margin:.2f}", flush=True)
        if margin >= MARGIN or step == most:
            return step, margin
        torch.nn.functional.cross_entropy(logits, targets).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    raise AssertionError("the loop has returned")


@torch.no_grad()
def margin_now(model: Any, example: Example) -> float:
    packed = pack([example])
    return margin_of(
        model(**packed.inputs(model.device), use_cache=False).logits[0].float(), packed.targets.to(model.device)
    )


def look(job: EnvironmentJob) -> Found:
    repository = Repository(job.registry.url, job.registry.token_file, job.output.repository) if job.output else None
    base = Base(path=job.base.path, name=job.base.name, digest=model_identity(pathlib.Path(job.base.path)))
    if job.base.digest and base.digest != job.base.digest:
        return failed(
            "QLoRA",
            f"the model staged at {base.path} is {base.digest}, the check asks for {job.base.digest}; restore the base's files",
        )
    if repository and job.output and (stored := adopted(repository, job, base)):
        return passed(
            "QLoRA", "an earlier Job of this check had learnt the word and stored its adapter", adapter=stored
        )
    return trained(job, base, repository)


def trained(job: EnvironmentJob, base: Base, repository: Repository | None) -> Found:
    settings, started = settings_of(job), time.monotonic()
    tokenizer = load_tokenizer(base.path)
    example = example_for(tokenizer, job)
    frozen = load_base(base.path, settings, device_of())
    shapes = linear_shapes(frozen, settings.target_modules)
    model = add_lora(frozen, settings)
    loaded = time.monotonic()
    model.train()
    steps, _ = learn(model, example)
    model.eval()
    adapter_io.round_in_place(model, PRECISIONS[settings.precision])
    margin = margin_now(model, example)
    how = f"{'NF4' if settings.quantization == 'NF4' else 'unquantized'} base on {model.device.type}"
    if margin <= 0:
        return failed(
            "QLoRA",
            f"the {how} hasn't learnt a sentence of {len(example.tail)} tokens in {steps} steps (margin {margin:.2f}): training doesn't work here",
        )
    with model.disable_adapter():
        before = margin_now(model, example)
    if before > 0:
        return failed(
            "QLoRA", f"the {how} says {job.nonce} without the adapter, so its change isn't the adapter's alone"
        )
    said = f"the {how} learnt a word that it can't have known in {steps} steps, {time.monotonic() - loaded:.0f} s, loaded in {loaded - started:.0f} s"
    if not repository or not job.output:
        return passed("QLoRA", said)
    return passed("QLoRA", said, adapter=stored_of(job, base, repository, model, tokenizer, example, shapes, steps))


def stored_of(
    job: EnvironmentJob,
    base: Base,
    repository: Repository,
    model: Any,
    tokenizer: Any,
    example: Example,
    shapes: dict[str, tuple[int, int]],
    steps: int,
) -> dict[str, Any]:
    """Publishes the result like any adapter, and returns where it is."""
    assert job.output
    settings = settings_of(job)
    with tempfile.TemporaryDirectory(prefix="adapter.") as scratch:
        directory = pathlib.Path(scratch)
        tensors = adapter_io.weights_of(model, PRECISIONS[settings.precision])
        adapter_io.write(
            directory, base, shape_of(settings), tensors, shapes, advice="look at the node's GPUs and their memory"
        )
        canary = canary_of(model, tokenizer, [example])
        artifact = publish.Artifact(
            MediaType.ADAPTER, directory, {**config_of(job, base, settings), **({"canary": canary} if canary else {})}
        )
        manifest, size = publish.push(repository, artifact, {STEPS: str(steps)}, job.output.tag)
    return adapter_of(repository, manifest.digest, size, artifact.config)


def config_of(job: EnvironmentJob, base: Base, settings: Sft) -> dict[str, Any]:
    """A control of no project, which nobody chooses by itself."""
    source = {"kind": job.owner.kind, "name": job.owner.name, "uid": job.owner.uid}
    return {
        "schema": Schema.ADAPTER,
        "base": {"name": base.name, "digest": base.digest},
        **shape_of(settings).fields(),
        "scope": {},
        "source": source,
        "parents": [],
        "generation": 0,
        "control": True,
    }


def adapter_of(repository: Repository, digest: str, size: int, config: dict[str, Any]) -> dict[str, Any]:
    shape = {name: config[name] for name in ("rank", "alpha", "targetModules", "base")}
    return {"repository": repository.name, "digest": digest, "sizeBytes": size, **shape}


def adopted(repository: Repository, job: EnvironmentJob, base: Base) -> dict[str, Any] | None:
    """What an earlier Job of this very check stored before it was lost. The tag is a hint;
    digest, owner and base decide.
    """
    assert job.output
    try:
        found = repository.pull_manifest(job.output.tag)
        if not found or found[1].get("artifactType") != MediaType.ADAPTER:
            return None
        config = json.loads(repository.pull_blob(found[1]["config"]["digest"]))
        if config["source"].get("uid") != job.owner.uid or config["base"]["digest"] != base.digest:
            return None
        return adapter_of(repository, found[0], sum(layer["size"] for layer in found[1]["layers"]), config)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
