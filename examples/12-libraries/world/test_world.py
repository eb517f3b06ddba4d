"""Run with `python3 -m unittest discover examples/12-libraries/world`;
LIBRARIES=1200 checks as many instead of a few.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from types import CodeType

from library import FUNCTIONS, House, Library, words_of
from make import SEED, drawn, line_of, names_of
from questions import Asker, Document, Program, held_out_of, shortcuts, uses
from sessions import error_of, guess_of

COUNT = int(os.environ.get("LIBRARIES", "6"))
NAMES = names_of(COUNT, SEED)


def everything(asker: Asker) -> tuple[Asker, Document, list[Document]]:
    return asker, line_of(asker), [{"task": q.task, "program": q.program} for q in held_out_of(asker)]


MADE = [drawn(name, SEED, everything) for name in NAMES]


def executed(line: Document) -> list[Document]:
    return [record for record in line["trajectory"]["records"] if record["type"] == "executed"]


def passes(tests: CodeType, solve: Program) -> bool:
    try:
        exec(tests, {"solve": solve})
    except Exception:
        return False
    return True


def houses_in(library: Library, program: str) -> list[House]:
    return [house for house in library.houses if f"{library.name}.{house.name}" in program]


def asked() -> Iterator[tuple[Asker, Document]]:
    """Every question of every library: its session's task, its trajectory's examples, and its held-out tasks."""
    for asker, line, held in MADE:
        yield asker, {"task": line["trajectory"]["task"], "program": executed(line)[-1]["program"]}
        yield from ((asker, question) for question in [*line["examples"], *held])


class Questions(unittest.TestCase):
    def test_are_passed_by_their_programs(self):
        for asker, question in asked():
            self.assertEqual(
                error_of(asker.library, question["program"], question["task"]["tests"]), "", question["task"]["id"]
            )

    def test_are_failed_by_every_other_function_of_their_library(self):
        for asker, question in asked():
            library, tests = asker.library, question["task"]["tests"]
            for right in houses_in(library, question["program"]):
                for other in library.houses:
                    program = question["program"].replace(
                        f"{library.name}.{right.name}", f"{library.name}.{other.name}"
                    )
                    self.assertTrue(other == right or error_of(library, program, tests), program)

    def test_are_failed_by_plausible_names(self):
        for asker, question in asked():
            library = asker.library
            for house in houses_in(library, question["program"]):
                for guess in {house.guess, *(guess_of(house, asker.random("guess", str(n))) for n in range(8))}:
                    program = question["program"].replace(f"{library.name}.{house.name}", f"{library.name}.{guess}")
                    self.assertIn("AttributeError", error_of(library, program, question["task"]["tests"]))

    def test_are_failed_by_every_shortcut_without_the_library(self):
        for asker, question in asked():
            name, _, called = question["task"]["id"].split("-", 2)
            if name in ("pair", "survey"):
                continue
            house = next(h for h in asker.library.houses if h.name == called)
            tests, use = (
                compile(question["task"]["tests"], "tests", "exec"),
                uses(asker.call(house), house.concept)[name],
            )
            for number, wrong in enumerate(shortcuts(asker.library.function(house), [], name, use, house.text)):
                self.assertFalse(passes(tests, wrong), f"{question['task']['id']}: shortcut {number}")

    def test_of_one_function_never_ask_a_value_twice(self):
        for asker, line, held in MADE:
            for house in asker.library.houses:
                texts = [
                    q["task"]["tests"]
                    for q in [*line["examples"], *held]
                    if houses_in(asker.library, q["program"]) == [house]
                ]
                arguments = [
                    part
                    for text in texts
                    for part in text.replace(" == ", "\n== ").splitlines()
                    if part.startswith("assert")
                ]
                self.assertEqual(len(set(arguments)), len(arguments))

    def test_of_held_out_tasks_are_no_examples(self):
        for _, line, held in MADE:
            self.assertFalse({q["program"] for q in line["examples"]} & {q["program"] for q in held})


class Sessions(unittest.TestCase):
    def test_learn_one_name_from_each_error_and_pass(self):
        for asker, line, _ in MADE:
            attempts, library = executed(line), asker.library
            self.assertEqual([a["execution"]["passed"] for a in attempts], [False] * FUNCTIONS + [True])
            for attempt, house in zip(attempts, library.houses, strict=False):
                self.assertIn(
                    f"use {library.name}.{house.name}(x) for the {house.concept}", attempt["execution"]["error"]
                )

    def test_say_every_function_of_their_library(self):
        for asker, line, _ in MADE:
            self.assertEqual(houses_in(asker.library, executed(line)[-1]["program"]), list(asker.library.houses))

    def test_begin_with_names_that_nobody_has(self):
        for asker, line, _ in MADE:
            self.assertEqual(houses_in(asker.library, executed(line)[0]["program"]), [])


class Libraries(unittest.TestCase):
    def test_are_the_same_for_one_name_and_seed_alone(self):
        asker, line, _ = MADE[-1]
        self.assertEqual(drawn(asker.library.name, SEED, line_of), line)

    def test_have_names_of_their_own(self):
        self.assertEqual(len({asker.library.name for asker, *_ in MADE}), COUNT)
        self.assertEqual(len(set(names_of(1300, SEED))), 1300)

    def test_have_concepts_that_share_no_word(self):
        for asker, *_ in MADE:
            words = [word for house in asker.library.houses for word in words_of(f"{house.form} {house.subject}")]
            self.assertEqual(len(set(words)), len(words))

    def test_answer_a_program_of_its_own_process(self):
        asker, line, _ = MADE[0]
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, f"{asker.library.name}.py").write_text(asker.library.source)
            for attempt in executed(line):
                program = attempt["program"] + "\n" + line["trajectory"]["task"]["tests"]
                done = subprocess.run(
                    [sys.executable, "-c", program], check=False, cwd=folder, capture_output=True, text=True, timeout=60
                )
                said = done.stderr.strip().splitlines()[-1] if done.stderr else ""
                self.assertEqual(said, attempt["execution"]["error"])


if __name__ == "__main__":
    unittest.main()
