import tiny

from rune_trainer.context import context_of, in_front_of
from rune_trainer.corpus import prompt_of
from rune_trainer.fitting import fitted
from rune_trainer.rendering import prompt_of as rendered

TRAJECTORY = tiny.trajectory(
    "heron", ["return x[::-1]", "return sorted(x)"], [("return 1", "wrong for 1 "), ("return 2", "wrong for 2")]
)


def test_a_trajectory_reads_as_its_task_and_every_attempt_with_what_became_of_it():
    text, left_out = context_of(tiny.trajectory("heron", ["return x"], [("return 1", "wrong answer\n")]))
    assert left_out == 0
    assert text == "\n".join(
        [
            "Task: Write solve for heron.",
            "Attempt:", "```python", "import tessera", "", "def solve(x):", "    return 1", "```", "Failed: wrong answer",
            "Attempt:", "```python", "import tessera", "", "def solve(x):", "    return x", "```", "Passed",
        ]
    )  # fmt: skip


def test_a_program_that_was_executed_twice_stands_once_where_it_was_first_tried():
    twice = {**TRAJECTORY, "records": [*TRAJECTORY["records"], TRAJECTORY["records"][0]]}
    assert context_of(twice) == context_of(TRAJECTORY)


def test_where_less_fits_the_oldest_failures_go_first_and_the_last_that_passed_never():
    def kept(count: int) -> list[str]:
        text, left_out = context_of(TRAJECTORY, lambda text: text.count("Attempt:") <= count)
        assert left_out == 4 - max(1, count)
        return [line.strip() for line in text.splitlines() if "return" in line]

    assert kept(3) == ["return 2", "return x[::-1]", "return sorted(x)"]
    assert kept(2) == ["return x[::-1]", "return sorted(x)"]
    assert kept(0) == ["return sorted(x)"]


def test_an_attempt_that_is_too_long_keeps_its_end():
    text, ids, left_out = fitted(tiny.tokenizer(), TRAJECTORY, 20)
    assert (len(ids), left_out) == (20, 3)
    assert text == "return sorted(x)\n```\nPassed"[-20:]
    assert fitted(tiny.tokenizer(), TRAJECTORY, 4096)[0] == context_of(TRAJECTORY)[0]


def test_markers_are_whole_words_between_white_space():
    words = context_of(TRAJECTORY)[0].split()
    assert {"Task:", "Attempt:", "Failed:", "Passed", "```python", "```"} <= set(words)


def test_in_a_conversation_the_context_stands_at_the_head_of_the_first_question():
    messages, given = prompt_of(TRAJECTORY)
    prompt, _ = rendered(tiny.tokenizer(), list(in_front_of(messages, "Task: a")), given)
    assert "<|im_start|>user\nTask: a\n\nWrite solve for heron.<|im_end|>" in prompt
    assert prompt.endswith(given)
