#!/usr/bin/env python3
"""laboratory.py DIRECTORY: writes a model that a real engine loads in seconds, for tests of what surrounds a model.

Qwen2 with 4 layers, hidden 128 and random weights from a fixed seed: it speaks words, never sense. Its tokenizer knows
whole words and single characters, so that structured outputs can be asked for as well.
"""

import argparse
import pathlib
import string

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SPECIAL = ("<unk>", "<|im_start|>", "<|im_end|>")
WORDS = "the a of to and user assistant system capital France is write program that adds two numbers def return pass if else for in not use library value answer".split()
TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message.role }} {{ message.content }}{% if not loop.last or not continue_final_message %} <|im_end|> {% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = dict.fromkeys((*SPECIAL, *WORDS, *string.ascii_lowercase, *string.digits, *string.punctuation))
    words = Tokenizer(models.WordLevel({token: number for number, token in enumerate(vocabulary)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation()])
    # Without a decoder words come out without spaces.
    words.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<|im_end|>", pad_token="<|im_end|>", additional_special_tokens=["<|im_start|>"], chat_template=TEMPLATE)


def write(directory: pathlib.Path, seed: int = 7) -> None:
    """The model in Hugging Face format, readable by every user: an engine's container has another one."""
    words = tokenizer()
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        initializer_range=0.2,
        dtype="bfloat16",
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(directory)
    words.save_pretrained(directory)
    for file in directory.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    write(parser.parse_args().directory)
