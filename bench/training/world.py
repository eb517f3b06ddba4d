"""Shared by all measurements: a base with random weights in a real one's shape, a tokenizer, and examples in the
quickstart's words.
"""

import json
import pathlib
import random
import sysconfig
import tempfile
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from rune_trainer.corpus import rows_of
from rune_trainer.examples import Example, examples_of

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
TASKS = pathlib.Path(__file__).parents[2] / "examples/00-quickstart/scenario/tasks.json"
TOKENS = 8192
"""Of the tokenizer; the base's vocabulary may be larger."""
SOURCES = 120
"""Files of Python's own library from which the tokenizer and the unlike prompts are made."""
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPE = torch.bfloat16 if torch.cuda.is_available() else torch.float32
PRECISION = "BFloat16" if torch.cuda.is_available() else "Float32"


def sources() -> list[str]:
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    return [path.read_text(errors="replace") for path in sorted(library.glob("*.py"))[:SOURCES]]


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level, trained on Python's own library: as many tokens per line as a code model's."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>"]
    inner.train_from_iterator(
        sources(),
        trainers.BpeTrainer(
            vocab_size=TOKENS,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    made.chat_template = TEMPLATE
    return made


def base(size: dict[str, int]) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=size["vocabulary"],
        hidden_size=size["hidden"],
        intermediate_size=size["intermediate"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["hidden"] // 64,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    config._attn_implementation = "sdpa"
    return Qwen2ForCausalLM(config).to(DEVICE, DTYPE).eval().requires_grad_(False)


def trajectories(count: int) -> list[dict[str, Any]]:
    """Solved sessions on the quickstart's tasks, each with a failed attempt; every task is a separate project."""
    tasks = json.loads(TASKS.read_text())["train"]
    return [trajectory(tasks[n % len(tasks)], n) for n in range(count)]


def trajectory(task: dict[str, Any], number: int) -> dict[str, Any]:
    def executed(body: str, passed: bool) -> dict[str, Any]:
        error = (
            ""
            if passed
            else "AttributeError: module 'tessera' has no attribute 'score'; it has weld, mint, pare and hue"
        )
        return {
            "type": "executed",
            "program": f"{task['stub']}    {body}\n",
            "execution": {"passed": passed, "error": error},
        }

    records = [
        executed(f"return tessera.score(x, {number})", False),
        executed(f"return tessera.weld(tessera.mint(x) + {number})", True),
    ]
    return {"schema": "rune.dev/trajectory/v1", "task": task, "scope": {"project": f"p{number}"}, "records": records}


def shared_examples(made: PreTrainedTokenizerFast, count: int) -> list[Example]:
    return examples_of(made, rows_of(trajectories(count), ("Programs",)), 4096)[0]


def unlike_examples(made: PreTrainedTokenizerFast, count: int, least: int, most: int, learnt: int) -> list[Example]:
    """Long prompts that share nothing: each is a different piece of source code, and the continuation is learnt."""
    texts, drawn = [made(text)["input_ids"] for text in sources()], random.Random(0)
    texts = [ids for ids in texts if len(ids) > most + learnt]
    found = []
    for number in range(count):
        ids, length = texts[number % len(texts)], drawn.randint(least, most)
        first = drawn.randint(1, len(ids) - length - learnt)
        found.append(
            Example("", tuple(ids[first : first + length]), tuple(ids[first + length : first + length + learnt]))
        )
    return found


def scratch() -> pathlib.Path:
    return pathlib.Path(tempfile.mkdtemp(prefix="bench."))
