import tiny

from rune_trainer.corpus import rows_of
from rune_trainer.examples import examples_of


def test_each_distinct_passing_program_is_one_row():
    rows = rows_of(
        [tiny.trajectory("a", ["return x", "return x", "return (x)"], [("return 1", "wrong")])], ("Programs",)
    )
    assert [r.answer for r in rows] == [
        f"```python\n{tiny.STUB}    return x\n```",
        f"```python\n{tiny.STUB}    return (x)\n```",
    ]


def test_the_prompt_is_that_of_a_fresh_session_without_the_notes_of_this_one():
    session = tiny.trajectory("a", ["return x"], notes=["use pare"])
    session["task"]["system"] = "S"
    (row,) = rows_of([session], ("Programs",))
    assert [m["content"] for m in row.messages] == ["S", "Write solve for a."]
    assert row.given == f"```python\n{tiny.STUB}"


def test_a_task_without_a_stub_still_begins_its_answer_with_the_code_block():
    session = tiny.trajectory("a", ["return x"])
    del session["task"]["stub"]
    (row,) = rows_of([session], ("Programs",))
    assert row.given == "```python\n"


def test_a_program_that_leaves_the_given_beginning_is_learnt_whole():
    changed = tiny.trajectory("a", ["return x"])
    changed["records"][0]["program"] = "def solve(x): return x"
    (row,) = rows_of([changed], ("Programs",))
    assert (row.given, row.answer) == ("", "```python\ndef solve(x): return x\n```")


def test_notes_and_corrections_come_only_from_sessions_that_were_solved():
    failed = tiny.trajectory("a", [], [("return 1", "E")], ["note"])
    assert rows_of([failed], ("Programs", "Notes", "Corrections")) == []


def test_a_correction_shows_the_failure_and_learns_the_program_that_passed():
    (row,) = rows_of(
        [tiny.trajectory("a", ["return x"], [("return 1", "no house function"), ("return 2", "no house function")])],
        ("Corrections",),
    )
    assert row.messages[-1]["content"] == "That program failed: no house function\nWrite the whole program again."
    assert row.answer.endswith("return x\n```")


def test_notes_are_the_answer_to_a_question_about_the_task():
    (row,) = rows_of([tiny.trajectory("a", ["return x"], notes=["use tessera.pare(x)"])], ("Notes",))
    assert row.answer == "- use tessera.pare(x)"


def test_only_what_follows_the_prompt_is_learnt_and_ends_the_turn():
    tokenizer = tiny.tokenizer()
    (example,), long = examples_of(tokenizer, rows_of([tiny.trajectory("a", ["return x"])], ("Programs",)), 512)
    assert example.prompt.endswith(f"<|im_start|>assistant\n```python\n{tiny.STUB}")
    assert tokenizer.decode(example.tail) == "    return x\n```<|im_end|>\n"
    assert long == 0


def test_examples_that_are_too_long_are_left_out_and_counted():
    rows = rows_of([tiny.trajectory("a", ["return x", "return " + "x" * 500])], ("Programs",))
    examples, long = examples_of(tiny.tokenizer(), rows, 400)
    assert (len(examples), long) == (1, 1)
