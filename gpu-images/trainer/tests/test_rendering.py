from typing import Any

import pytest
import tiny
from bases import FAMILIES, Family

from rune_trainer import canary
from rune_trainer.contract import Exit
from rune_trainer.corpus import FENCE, Row, rows_of
from rune_trainer.errors import Ending
from rune_trainer.examples import ANCHORS, Example, example_of, examples_of
from rune_trainer.rendering import load_tokenizer

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": " Write f. "}
FAILED = (
    {"role": "assistant", "content": f"{FENCE}def f(x):\n    return 1\n```"},
    {"role": "user", "content": "That program failed: E\nWrite the whole program again."},
)
ANSWER = f"{FENCE}def f(x):\n    return x\n```"
STUB = f"{FENCE}def f(x):\n"
ROWS = {
    "a stub": Row((SYSTEM, USER), ANSWER, STUB),
    "no stub": Row((SYSTEM, USER), ANSWER, FENCE),
    "a stub that ends within a line": Row((SYSTEM, USER), ANSWER, f"{FENCE}def f(x):\n    "),
    "a stub that ends with a space in a line": Row((SYSTEM, USER), ANSWER, f"{STUB}    return "),
    "a failed program before": Row((SYSTEM, USER, *FAILED), ANSWER, STUB),
    "an answer that leaves the stub": Row((SYSTEM, USER), f"{FENCE}import lib\nf = lib.f\n```", ""),
    "no system message": Row((USER,), "- use lib", ""),
    "letters of other scripts": Row(
        (SYSTEM, {"role": "user", "content": "Schreib f für 学。"}), f"{FENCE}def f(x):\n    return 'ü 学'\n```", STUB
    ),
}


def served(tokenizer, row: Row) -> list[int]:
    """vLLM 0.32's rendering of `requestBody` in clients/inference/inference.ts: `render_messages` and `safe_apply_chat_template` of
    vllm/renderers/hf.py with what `build_chat_params` of vllm/entrypoints/openai/chat_completion/protocol.py passes."""
    begun = [{"role": "assistant", "content": row.given}] if row.given else []
    arguments = {
        "add_generation_prompt": not begun,
        "continue_final_message": bool(begun),
        "tokenize": True,
        "return_dict": False,
    }
    system, user, *rest = row.messages if len(row.messages) > 1 else (None, *row.messages)
    conversation = [*row.messages, *begun]
    try:
        return tokenizer.apply_chat_template(conversation, tools=None, **arguments)
    except Exception:  # the server's 400: the client folds the system message and retries
        assert system is not None
        folded = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
        return tokenizer.apply_chat_template([folded, *rest, *begun], tools=None, **arguments)


def decoded(tokenizer, ids) -> str:
    return tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def read(tokenizer: Any, row: Row) -> Example:
    example = example_of(tokenizer, row)
    assert example is not None
    return example


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_the_tokens_of_a_prompt_are_those_that_are_served_and_the_rest_is_what_the_model_would_write(
    family: Family, row: Row
):
    tokenizer = family.tokenizer()
    example = read(tokenizer, row)
    assert list(example.head) == served(tokenizer, row)
    assert example.head.count(tokenizer.bos_token_id) == (1 if family.bos else 0)
    prompt = decoded(tokenizer, example.head)
    begun = row.given if prompt.endswith(row.given) else row.given.rstrip()
    text, _, after = decoded(tokenizer, [*example.head, *example.tail])[len(prompt) :].partition(family.end)
    assert prompt.endswith(begun)
    assert begun + text == row.answer if begun else text.endswith(row.answer)
    assert after.strip() == ""


PROMPTS = {
    "Qwen 2.5": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Write f. <|im_end|>\n<|im_start|>assistant\n```python\ndef f(x):\n",
    "Qwen 3": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Write f. <|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n```python\ndef f(x):\n",
    "Llama 3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWrite f.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n```python\ndef f(x):",
    "Gemma 2": "<bos><start_of_turn>user\nBe brief.\n\n Write f.<end_of_turn>\n<start_of_turn>model\n```python\ndef f(x):",
    "Gemma 3": "<bos><start_of_turn>user\nBe brief.\n\nWrite f.<end_of_turn>\n<start_of_turn>model\n```python\ndef f(x):",
    "Mistral 0.1": "<s>[INST] Be brief.\n\n Write f.  [/INST]```python\ndef f(x):\n",
    "Mistral 0.3": "<s>[INST] Be brief.\n\n Write f. [/INST] ```python\ndef f(x):",
}
TAILS = {
    name: "    return x\n```" if prompt.endswith("\n") else "\n    return x\n```" for name, prompt in PROMPTS.items()
}


@pytest.mark.parametrize(("name", "prompt"), PROMPTS.items())
def test_a_prompt_reads_as_the_base_was_made_to_read_it(name: str, prompt: str):
    family = FAMILIES[name]
    example = read(family.tokenizer(), ROWS["a stub"])
    assert example.prompt == prompt
    assert decoded(family.tokenizer(), example.tail).removesuffix("\n").removesuffix(family.end).lstrip(" ") == TAILS[
        name
    ].lstrip(" ")


def test_where_a_line_s_end_belongs_to_the_token_before_it_the_prompt_keeps_the_tokens_of_serving():
    tokenizer = FAMILIES["Llama 3"].tokenizer()
    example = read(tokenizer, ROWS["a stub"])
    together = tokenizer(f"{example.prompt}\n    return x\n```<|eot_id|>", add_special_tokens=False)["input_ids"]
    assert together[: len(example.head)] != list(example.head)
    assert tokenizer.convert_ids_to_tokens(example.head[-1]) == "):"
    assert tokenizer.convert_ids_to_tokens(example.tail[0]) == "Ċ"


def test_no_space_comes_between_a_prompt_and_its_rest_where_a_tokenizer_puts_one_before_every_text():
    tokenizer = FAMILIES["Mistral 0.3"].tokenizer()
    example = read(tokenizer, Row((USER,), ANSWER, f"{FENCE}def f(x)"))
    assert tokenizer("):", add_special_tokens=False)["input_ids"][0] == tokenizer.convert_tokens_to_ids("▁")
    assert example.tail[0] == tokenizer.convert_tokens_to_ids(":")
    assert all(
        decoded(tokenizer, tokenizer(anchor, add_special_tokens=False)["input_ids"]) == anchor for anchor in ANCHORS
    )


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('System messages only') }}", "System messages only"),
        ("{{ raise_exception('no') }}", "no"),
        ("{{ messages[0]['content'] + 1 }}", "str"),
        ("{% for m in messages %}", "end of template"),
        ("{{ messages[-1]['content'] | upper }}", "changes the text of every answer"),
    ],
)
def test_a_template_that_can_t_be_trained_on_ends_the_run_for_good_with_its_reason(template: str, reason: str):
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(Ending) as ended:
        examples_of(tokenizer, [ROWS["no system message"]], 512)
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, "ChatTemplate")
    assert reason in ended.value.message


def test_only_a_refusal_of_roles_moves_the_system_message():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('too early') }}{% endif %}" + tiny.TEMPLATE
    )
    with pytest.raises(Ending, match="too early"):
        examples_of(tokenizer, [ROWS["a stub"]], 512)


def test_an_answer_that_the_template_changes_is_left_out_and_told(capsys):
    odd = Row((USER,), f"{FENCE}mark = '</think>'\n```", FENCE)
    examples, _ = examples_of(FAMILIES["Qwen 3"].tokenizer(), [odd, ROWS["a stub"]], 512)
    assert len(examples) == 1
    assert "1 of 2 examples are changed by the base's chat template" in capsys.readouterr().out


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_canary_is_asked_in_the_tokens_of_its_prompt(family: Family):
    tokenizer = family.tokenizer()
    example = read(tokenizer, ROWS["a stub"])
    (text,) = canary.candidates(tokenizer, [example])
    assert tuple(tokenizer(text)["input_ids"]) == example.head


def test_a_prompt_that_no_completion_request_can_hold_is_no_canary():
    assert canary.candidates(FAMILIES["Llama 3"].tokenizer(), [Example("text", (1, 2), (3,))]) == []


def test_a_base_that_the_server_reads_without_its_template_is_refused(tmp_path):
    FAMILIES["Mistral 0.3"].tokenizer().save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path)).chat_template
    for name in ("tekken.json", "consolidated.safetensors"):
        (tmp_path / name).write_text("")
    with pytest.raises(Ending) as ended:
        load_tokenizer(str(tmp_path))
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, "ChatTemplate")


def test_examples_of_sessions_are_rendered_alike():
    tokenizer = FAMILIES["Llama 3"].tokenizer()
    rows = rows_of(
        [tiny.trajectory("a", ["return x"], [("return 1", "E")], ["note"])], ("Programs", "Notes", "Corrections")
    )
    examples, long = examples_of(tokenizer, rows, 1024)
    assert [list(e.head) for e in examples] == [served(tokenizer, row) for row in rows]
    assert (len(rows), long) == (3, 0)
