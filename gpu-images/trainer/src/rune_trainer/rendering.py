"""Conversations → the prompts that the server makes of them, token for token. The trainer's only renderer.

How vLLM 0.32 handles a chat completion whose last message is to be continued (`requestBody` in
clients/inference/inference.ts requests that):
- the tokenizer's own `apply_chat_template` with `continue_final_message`; its output is tokenized as it is, without a
  second BOS by a post-processor (`safe_apply_chat_template` in vllm/renderers/hf.py; `add_special_tokens` of
  vllm/entrypoints/openai/chat_completion/protocol.py is false by default);
- where the template trims contents, the whitespace at the end of the answer's beginning is lost, and the model
  writes it (`render_jinja_template` in transformers/utils/chat_template_utils.py);
- a template's own refusal is answered with 400 and its message. If that is about roles, `complete` in
  clients/inference/inference.ts retries with the system message at the head of the first user's turn. So does this.
"""

import pathlib
import re
from collections.abc import Callable
from typing import Any

from rune_trainer.errors import Ending, base_unusable, data_error

Message = dict[str, str]

ABOUT_ROLES = re.compile("role|system", re.IGNORECASE)
"""`aboutRoles` in clients/inference/inference.ts."""


class Refused(Exception):
    """A chat template doesn't render a conversation; the message is its reason."""


def load_tokenizer(directory: str) -> Any:
    from transformers import AutoTokenizer

    if by_mistral_common(pathlib.Path(directory)):
        raise chat_template(
            "the server reads a base with consolidated*.safetensors beside Mistral's own tokenizer without its chat template; store it without consolidated*.safetensors"
        )
    with base_unusable(f"the tokenizer in {directory}"):
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    if not getattr(tokenizer, "chat_template", None):
        raise chat_template(f"the tokenizer in {directory} has no chat template; use an instruction-tuned base")
    return tokenizer


def by_mistral_common(directory: pathlib.Path) -> bool:
    """Whether vLLM would choose Mistral's own tokenizer (`resolve_tokenizer_args` in vllm/tokenizers/registry.py)."""
    return any(directory.glob("consolidated*.safetensors")) and any(
        [*directory.glob("tekken.json"), *directory.glob("tokenizer.model.v*")]
    )


def chat_template(message: str) -> Ending:
    return data_error("ChatTemplate", message)


def prompt_of(tokenizer: Any, messages: list[Message], given: str) -> tuple[str, list[int]]:
    """(text, tokens) of the server's prompt before the model continues `given`, or begins an answer if that is
    empty.
    """
    conversation, arguments = opened(messages, given)
    text = folding(conversation, lambda each: applied(tokenizer, each, **arguments))
    return text, ids_of(tokenizer, text)


def whole_of(tokenizer: Any, messages: list[Message], answer: str) -> str:
    """The conversation with its answer, up to the end of the assistant's turn."""
    return folding([*messages, {"role": "assistant", "content": answer}], lambda each: applied(tokenizer, each))


def opened(messages: list[Message], given: str) -> tuple[list[Message], dict[str, bool]]:
    if given:
        return [*messages, {"role": "assistant", "content": given}], {
            "add_generation_prompt": False,
            "continue_final_message": True,
        }
    return list(messages), {"add_generation_prompt": True}


def folding(conversation: list[Message], render: Callable[[list[Message]], str]) -> str:
    """Renders as it is, or folded if the template objects to roles; raises `ChatTemplate` with the first refusal."""
    try:
        return render(conversation)
    except Refused as refused:
        reason = str(refused)
    try:
        if conversation[0]["role"] == "system" and ABOUT_ROLES.search(reason):
            return render(folded(conversation))
    except Refused:
        pass
    raise chat_template(
        f"the base's chat template refuses a session's conversation: {reason[:500]}; use a base whose template takes turns of user and assistant"
    )


def folded(conversation: list[Message]) -> list[Message]:
    """`folded` in clients/inference/inference.ts:
    the system message before the first user's words, as in Gemma 3's template.
    """
    system, user, *rest = conversation
    return [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *rest]


def applied(tokenizer: Any, conversation: list[Message], **arguments: Any) -> str:
    try:
        return tokenizer.apply_chat_template(conversation, tokenize=False, **arguments)
    except Exception as error:  # as in vLLM: a template may raise anything, which counts as its refusal
        raise Refused(str(error)) from error


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a rendered text, or of a part of one: its special tokens are already in it."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]
