"""Run with `python3 -m unittest discover examples/00-quickstart/scenario`."""

import ast
import json
import subprocess
import sys
import unittest

import make_tasks
import tessera
from make_tasks import HELD_OUT, HERE, TRAIN, reference, uses_of, wrong_programs
from uses import is_text

TASKS = json.loads((HERE / "tasks.json").read_text())
ALL = [*TASKS["train"], *TASKS["heldOut"]]


def parts(task):
    """(use's name, house function, Use) of a task."""
    name, f = task["id"].split("-")
    return name, f, uses_of(f)[name]


def passes(task, solve):
    """Whether this function passes the task's own tests."""
    try:
        exec(task["tests"], {"solve": solve})
    except Exception:
        return False
    return True


def solve_of(source):
    names = {}
    exec(source, names)
    return names["solve"]


def values_of(task):
    """Every single value that the task's tests pass to the function."""
    for line in ast.parse(task["tests"]).body:
        for argument in line.test.left.args:
            value = ast.literal_eval(argument)
            yield from value if isinstance(value, list) else [value]


class Tasks(unittest.TestCase):
    def test_are_those_that_make_tasks_makes(self):
        self.assertEqual(make_tasks.dataset(), TASKS)

    def test_cover_every_house_function_in_every_use(self):
        for group, names in (("train", TRAIN), ("heldOut", HELD_OUT)):
            self.assertEqual({t["id"] for t in TASKS[group]}, {f"{name}-{f}" for name in names for f in tessera.HOUSE})

    def test_are_passed_by_their_references(self):
        for task in ALL:
            with self.subTest(task["id"]):
                self.assertTrue(passes(task, solve_of(reference(parts(task)[2]))))

    def test_are_failed_by_every_other_house_function_and_every_shortcut(self):
        for task in ALL:
            name, f, use = parts(task)
            for number, wrong in enumerate(wrong_programs(f, name, use)):
                with self.subTest(task["id"], shortcut=number):
                    self.assertFalse(passes(task, wrong))

    def test_are_failed_by_any_answer_that_never_changes(self):
        for task in ALL:
            for line in ast.parse(task["tests"]).body:
                constant = ast.literal_eval(line.test.comparators[0])
                with self.subTest(task["id"], constant=constant):
                    self.assertFalse(passes(task, lambda *_, c=constant: c))

    def test_are_failed_by_everything_that_other_tasks_gave_away(self):
        for task in ALL:
            _, f, use = parts(task)
            right = getattr(tessera, f)
            others = [t for t in ALL if t["id"].endswith(f"-{f}") and t is not task]
            memory = {value: right(value) for other in others for value in values_of(other)}
            with self.subTest(task["id"]):
                self.assertFalse(passes(task, use.shape(memory.get)))
                self.assertFalse(set(values_of(task)) & set(memory))

    def test_need_their_own_use_of_the_right_function(self):
        for task in ALL:
            name, f, use = parts(task)
            for other, another in uses_of(f).items():
                if (
                    other != name
                    and another.signature == use.signature
                    and not (f == "brand" and {name, other} == {"plain", "shout"})
                ):
                    with self.subTest(task["id"], use=other):
                        self.assertFalse(passes(task, solve_of(reference(another))))

    def test_never_show_the_reference(self):
        for task in ALL:
            self.assertNotIn("tessera", task["tests"])

    def test_held_out_tasks_of_one_function_are_one_cluster(self):
        for task in TASKS["heldOut"]:
            self.assertEqual(task["cluster"], parts(task)[1])
        self.assertFalse(any("cluster" in task for task in TASKS["train"]))


class Library(unittest.TestCase):
    def error_of(self, program):
        done = subprocess.run(
            [sys.executable, "-c", program], check=False, cwd=HERE / "library", capture_output=True, text=True
        )
        return done.stderr.strip().splitlines()[-1] if done.stderr else done.stdout.strip()

    def test_says_which_name_to_use_however_it_is_asked(self):
        hint = "tessera has no 'get_slug'; use tessera.moniker(x) for the house slug of a title (str -> str)"
        self.assertEqual(self.error_of("import tessera\ntessera.get_slug('x')"), f"AttributeError: {hint}")
        self.assertEqual(self.error_of("import tessera as t\nprint(t.get_slug)"), f"AttributeError: {hint}")
        self.assertEqual(self.error_of("from tessera import get_slug"), f"ImportError: {hint}")
        self.assertEqual(
            self.error_of("def f():\n    from tessera import brand, get_slug as g\nf()"), f"ImportError: {hint}"
        )

    def test_gives_the_names_that_exist(self):
        self.assertEqual(
            self.error_of("from tessera import *\nfrom tessera import haul as h\nprint(haul(3), h(3))"), "8 8"
        )

    def test_can_be_asked_whether_a_name_exists(self):
        self.assertEqual(
            self.error_of("import tessera\nprint(hasattr(tessera, 'slug'), getattr(tessera, 'slug', 1))"), "False 1"
        )

    def test_hints_at_each_function_for_the_words_of_its_task(self):
        for f, concept in tessera.HOUSE.items():
            asked = concept.split(" (")[0].replace(" a ", " ").replace(" ", "_")
            with self.assertRaises(AttributeError) as raised:
                getattr(tessera, asked)
            with self.subTest(f):
                self.assertIn(f"use tessera.{f}(x)", str(raised.exception))
                self.assertLessEqual(str(raised.exception).count("use tessera."), 3)

    def test_answers_with_text_or_a_number_as_it_says(self):
        for f in tessera.HOUSE:
            answer = getattr(tessera, f)("Amber Birch" if is_text(tessera.HOUSE[f]) else 7)
            self.assertIs(type(answer), str if is_text(tessera.HOUSE[f]) else int)


if __name__ == "__main__":
    unittest.main()
