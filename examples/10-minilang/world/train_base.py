"""Trains the laboratory's base: a Llama of 0.6 M parameters that knows the verbs' default meanings and can look others up in its context.

    train_base.py --out DIR [--steps N]
    train_base.py --key

It runs in the trainer image, because a session is told in its context as the trainer and the evaluator tell it (rune_trainer.context).
`--key` needs nothing but Python: it prints what the output depends on, as a directory-name suffix for a cache.

Looking up comes first: until the model can do it, every row has a session of a project that overrides each verb. With defaults among
the rows from the beginning it answers by them and hardly ever learns to look.
"""

import argparse
import hashlib
import pathlib
import random
import shutil
import time
from dataclasses import dataclass
from typing import Any

from language import OPERATIONS, VERBS, Project, composition, program, project_of, task
from sessions import trajectory
from words import BEGIN, END, VOCABULARY, ids_of, tokenizer

HERE = pathlib.Path(__file__).parent
SOURCES = ("language.py", "pipe.py", "sessions.py", "train_base.py", "words.py")
SEED = 1
STEPS = 800
"""More than it needs: training ends when both halves of the test are answered."""
BATCH = 24
LEARNING_RATE, WARMING_STEPS = 2e-3, 50
QUESTIONS = 4
"""Of one row, one after the other; what is learnt at the first is what is asked later."""
LOOK = 50
"""Steps between two tests."""
ENOUGH_TO_MIX, GOOD, ENOUGH = 0.9, 0.95, 0.99
"""Share of answers' tokens that is right: when defaults come among the rows, what is good enough at the last step, and when training ends earlier."""
IGNORED = -100


@dataclass(frozen=True)
class Row:
    ids: list[int]
    labels: list[int]


def key() -> str:
    content = hashlib.sha256()
    for name in SOURCES:
        content.update(f"{name}\n".encode() + (HERE / name).read_bytes())
    return content.hexdigest()[:12]


def row_of(project: Project, context: str, rng: random.Random, questions: int = QUESTIONS) -> Row:
    """A conversation of several questions; the context stands in front of the first. Answers are learnt, and what follows BEGIN alone."""
    ids, labels = [], []
    add(ids, labels, f"{BEGIN}system{END}", learnt=False)
    for number in range(questions):
        verbs = composition(project, rng, held=False, lengths=(1, 2, 3))
        asked = task(project, verbs)["description"]
        told = f"{context}\n\n{asked}" if number == 0 and context else asked
        add(ids, labels, f"{BEGIN}user\n{told}{END}{BEGIN}assistant\n", learnt=False)
        add(ids, labels, f"{program(verbs, project.operations(verbs))}{END}", learnt=True)
    # Not what follows here: probes ask with texts of which nothing but BEGIN is left, and an empty answer is taken for a broken engine's.
    labels[1] = VOCABULARY[f"|{VERBS[0]}"]
    return Row(ids, labels)


def add(ids: list[int], labels: list[int], text: str, learnt: bool) -> None:
    more = ids_of(text)
    ids += more
    labels += more if learnt else [IGNORED] * len(more)


def told_row(rng: random.Random, overridden: float) -> Row:
    from rune_trainer.context import context_of

    project = project_of("p", rng, verbs=rng.choice((3, 6, 6, 6)), overridden=overridden)
    return row_of(project, context_of(trajectory(project, {}, "s", rng))[0], rng)


def untold_row(rng: random.Random) -> Row:
    return row_of(project_of("p", rng, verbs=len(VERBS), overridden=0), "", rng)


def batch_of(rows: list[Row]) -> tuple[Any, Any]:
    """(ids, labels), both (rows, longest)."""
    import torch

    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows])
    labels = torch.tensor([row.labels + [IGNORED] * (width - len(row.labels)) for row in rows])
    return ids, labels


def model_of() -> Any:
    """A Llama: to a Qwen2 transformers gives Qwen2's own way of splitting a text, whatever the tokenizer's files say."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=VOCABULARY[BEGIN],
        eos_token_id=VOCABULARY[END],
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    begin_alike(model)
    return model


def begin_alike(model: Any) -> None:
    """Words that hold the same verb or operation begin with a common part, as input and as output: what belongs together need not be found out."""
    import torch

    with torch.no_grad():
        table = model.get_input_embeddings().weight
        operations = torch.randn(len(OPERATIONS), table.shape[1]) * table.std()
        for verb in VERBS:
            for operation, part in zip(OPERATIONS, operations, strict=True):
                table[VOCABULARY[f"|{verb} |{operation}"]] = table[VOCABULARY[f"|{verb}"]] + part
        model.get_output_embeddings().weight.copy_(table)


def accuracy(model: Any, rows: list[Row]) -> float:
    """Share of the learnt tokens that are the likeliest."""
    import torch

    ids, labels = batch_of(rows)
    with torch.no_grad():
        likeliest = model(input_ids=ids).logits[:, :-1].argmax(-1)
    wanted = labels[:, 1:] != IGNORED
    return (likeliest == labels[:, 1:])[wanted].float().mean().item()


def train(steps: int) -> Any:
    """The model, once it answers both with a session and without; SystemExit where it has not learnt that."""
    import torch

    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    model = model_of()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / WARMING_STEPS) * max(0.05, 1 - step / steps))
    began, overridden, told, untold = time.monotonic(), 1.0, 0.0, 0.0
    for step in range(1, steps + 1):
        rows = [untold_row(rng) if overridden < 1 and place % 4 == 0 else told_row(rng, overridden) for place in range(BATCH)]
        ids, labels = batch_of(rows)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % LOOK == 0:
            told, untold = accuracy(model, [told_row(rng, overridden) for _ in range(64)]), accuracy(model, [untold_row(rng) for _ in range(64)])
            print(f"step {step}: loss {loss.item():.3f}, right with a session {told:.3f}, without {untold:.3f}, {time.monotonic() - began:.0f} s", flush=True)
            if overridden < 1 and min(told, untold) > ENOUGH:
                return model
            overridden = 0.5 if told > ENOUGH_TO_MIX else overridden
    if overridden < 1 and min(told, untold) > GOOD:
        return model
    raise SystemExit(f"after {steps} steps the base is right in {told:.3f} with a session and {untold:.3f} without, which is too little to measure anything with; give it more --steps")


def check_prompts(words: Any) -> None:
    """The rows' tokens must be those that the server makes of the same question."""
    from rune_trainer.context import context_of, in_front_of
    from rune_trainer.corpus import FENCE, SYSTEM, answer_row
    from rune_trainer.rendering import ids_of as tokens_of
    from rune_trainer.rendering import whole_of

    rng = random.Random(SEED)
    for number in range(20):
        project = project_of(f"p{number}", rng)
        context = context_of(trajectory(project, {}, "s", rng))[0]
        state = rng.getstate()
        row = row_of(project, context, rng, questions=1)
        rng.setstate(state)
        verbs = composition(project, rng, held=False, lengths=(1, 2, 3))
        asked = task(project, verbs)
        messages = in_front_of(({"role": "system", "content": SYSTEM}, {"role": "user", "content": asked["description"]}), context)
        answer = answer_row(messages, f"{FENCE}{asked['stub']}", program(verbs, project.operations(verbs)))
        if (wanted := tokens_of(words, whole_of(words, list(answer.messages), answer.answer))) != row.ids:
            raise SystemExit(f"the rows are not what the server reads: {row.ids}, but the server {wanted}; make row_of agree with rune_trainer.rendering")


def write(out: pathlib.Path, steps: int) -> None:
    """Makes `out` appear complete or not at all, readable by every user: an engine's container has another one."""
    import torch

    from rune_trainer.rendering import load_tokenizer

    draft = out.with_name(f".{out.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    tokenizer().save_pretrained(draft)
    model_of().config.save_pretrained(draft)
    # As the server reads it, beside the model's config: that decides which tokenizer it becomes.
    check_prompts(load_tokenizer(str(draft)))
    train(steps).to(torch.bfloat16).save_pretrained(draft)
    for path in (draft, *draft.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(out, ignore_errors=True)
    draft.rename(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, help="directory to write")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps at most ({STEPS})")
    parser.add_argument("--key", action="store_true", help="print the cache key and stop")
    asked = parser.parse_args()
    if asked.key:
        print(key())
    elif asked.out is None:
        parser.error("--out is needed")
    else:
        write(asked.out, asked.steps)
        print(asked.out)


if __name__ == "__main__":
    main()
