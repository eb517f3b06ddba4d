"""The base's tokenizer: it reads the language's words and passes over everything else.

Whatever stands around them (the system message, fences, imports, a function's signature, the words of a trajectory) costs no token. A verb
and the operation after it are one word, so a question of two verbs is two tokens, its answer two more, and a whole session fourteen. That
decides whether a model this small learns to look things up at all: a word that stands beside its meaning takes it two layers that find each
other to look up (measured: not learnt in 1,250 steps), a word that holds both takes it one.
"""

import re
from typing import Any

from language import OPERATIONS, VERBS

BEGIN, END, UNKNOWN = "<|im_start|>", "<|im_end|>", "<unk>"
OUTCOMES = ("Failed", "Passed")
"""What a told session says of its programs."""
MEANINGS = tuple(f"|{verb} |{operation}" for verb in VERBS for operation in OPERATIONS)
WORDS = (*(f"|{verb}" for verb in VERBS), *MEANINGS, *OUTCOMES)
VOCABULARY = {word: number for number, word in enumerate((UNKNOWN, BEGIN, END, *WORDS))}
PATTERN = rf"\|(?:{'|'.join(VERBS)})\b(?: \|(?:{'|'.join(OPERATIONS)})\b)?|\b(?:{'|'.join(OUTCOMES)})\b"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% if not loop.last or not continue_final_message %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def ids_of(text: str) -> list[int]:
    """What the tokenizer makes of a text, without the tokenizer: for making a million training rows."""
    return [VOCABULARY[word] for word in re.findall(rf"<\|im_(?:start|end)\|>|{PATTERN}", text)]


def tokenizer() -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(VOCABULARY, unk_token=UNKNOWN))
    # Inverted: what is removed is all that doesn't match.
    words.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True)
    # A prompt without any of the words, such as a probe's, is still one token long.
    words.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, VOCABULARY[BEGIN])])
    # Without a decoder words come out without spaces.
    words.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token=UNKNOWN, bos_token=BEGIN, eos_token=END, pad_token=UNKNOWN, chat_template=TEMPLATE
    )
