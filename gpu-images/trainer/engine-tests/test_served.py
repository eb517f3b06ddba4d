"""In the engine's image: how vLLM itself renders the requests that sessions send, compared with the trainer's examples.

A separate suite (test/stages.ts), because the engine is not in the trainer's image on machines without a GPU.
"""

import pytest
from bases import FAMILIES
from test_rendering import ROWS, read
from transformers import LlamaConfig
from vllm.config import ModelConfig, VllmConfig
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.exceptions import VLLMValidationError
from vllm.renderers.registry import renderer_from_config

from rune_trainer.canary import completion_text
from rune_trainer.corpus import Row
from rune_trainer.rendering import ABOUT_ROLES, folded


@pytest.fixture(scope="module", params=FAMILIES)
def engine(request, tmp_path_factory):
    """(tokenizer, the engine's renderer, its model's configuration)"""
    directory, tokenizer = tmp_path_factory.mktemp("base"), FAMILIES[request.param].tokenizer()
    tokenizer.save_pretrained(directory)
    LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=512,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
    ).save_pretrained(directory)
    model = ModelConfig(model=str(directory), max_model_len=2048, dtype="float32")
    renderer = renderer_from_config(VllmConfig(model_config=model))
    yield tokenizer, renderer, model
    renderer.shutdown()


def asked(engine, row: Row, conversation: list[dict[str, str]]) -> list[int]:
    """The engine's tokens for `requestBody` of clients/inference/inference.ts."""
    _, renderer, model = engine
    begun = {"add_generation_prompt": False, "continue_final_message": True} if row.given else {}
    given = [{"role": "assistant", "content": row.given}] if row.given else []
    request = ChatCompletionRequest(model="base", messages=[*conversation, *given], **begun)
    _, (prompt,) = renderer.render_chat(
        [request.messages], request.build_chat_params(None, "auto"), request.build_tok_params(model)
    )
    return list(prompt["prompt_token_ids"])


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_engine_reads_a_prompt_in_the_tokens_that_are_trained_on(engine, row):
    head = list(read(engine[0], row).head)
    conversation = list(row.messages)
    try:
        assert asked(engine, row, conversation) == head
    except VLLMValidationError as refusal:
        assert ABOUT_ROLES.search(str(refusal))
        assert asked(engine, row, folded(conversation)) == head


def test_the_engine_reads_a_canary_in_the_tokens_of_its_prompt(engine):
    tokenizer, renderer, model = engine
    example = read(tokenizer, ROWS["a stub"])
    request = CompletionRequest(model="base", prompt=completion_text(tokenizer, example))
    (prompt,) = renderer.render_cmpl([{"prompt": request.prompt}], request.build_tok_params(model))
    assert tuple(prompt["prompt_token_ids"]) == example.head
