"""Run with `python3 -m unittest discover examples/10-minilang/world`."""

import json
import random
import unittest
from itertools import pairwise
from typing import Any

import make
import pipe
from language import OPERATIONS, VERBS, held_out, passes, program, project_of, task
from sessions import programs_of
from sessions import task as session_task
from words import WORDS, ids_of

SMALL = {"training_projects": 60, "held_out": 12, "tasks": 10, "for_merge": 40}
FILES = make.files_of(**SMALL)


def documents(name):
    return [json.loads(line) for line in FILES[name].splitlines()]


def tasks(name):
    return json.loads(FILES[name])["tasks"]


def passed(task, source):
    """Whether a program passes the task's own tests."""
    names = {}
    try:
        exec(source, names)
        exec(task["tests"], names)
    except Exception:
        return False
    return True


def reference(task, meaning):
    """The program that a task of the held-out sets requires."""
    verbs = tuple(task["id"].split("-")[1:])
    return program(verbs, tuple(meaning[verb] for verb in verbs))


def words_of(text):
    return " ".join(text.split())


class Language(unittest.TestCase):
    def test_no_two_operations_do_the_same_to_the_samples(self):
        for one in OPERATIONS:
            self.assertEqual([other for other in OPERATIONS if passes((other,), (one,))], [one])

    def test_operations_stand_in_the_library_and_leave_their_argument_alone(self):
        given = [3, 1, 2]
        for operation in OPERATIONS:
            given | getattr(pipe, operation)
        self.assertEqual(given, [3, 1, 2])

    def test_a_verb_by_itself_changes_nothing(self):
        for verb in VERBS:
            self.assertEqual([3, 1, 2] | getattr(pipe, verb), [3, 1, 2])

    def test_a_sixth_of_all_pairs_is_held_out_and_every_verb_can_be_asked_otherwise(self):
        held = {(a, b) for a in VERBS for b in VERBS if held_out((a, b))}
        self.assertEqual(len(held), 25)
        self.assertTrue(all(any((a, b) not in held for b in VERBS) for a in VERBS))


class Training(unittest.TestCase):
    def test_shows_no_pair_that_is_held_out(self):
        for each in documents("training.jsonl"):
            for example in each["examples"]:
                verbs = example["task"]["id"].split("-")[1:]
                self.assertFalse(any(held_out(pair) for pair in pairwise(verbs)), example["task"]["id"])

    def test_examples_pass_their_own_tests_and_defaults_pass_only_where_they_are_meant(self):
        for each in documents("training.jsonl")[:20]:
            for example in each["examples"]:
                self.assertTrue(passed(example["task"], example["program"]))

    def test_shuffled_sessions_are_those_of_the_corpus_and_all_have_another_project_s_questions(self):
        right, wrong = documents("training.jsonl"), documents("shuffled.jsonl")
        self.assertEqual([each["trajectory"] for each in wrong], [each["trajectory"] for each in right])
        for each in wrong:
            project = each["trajectory"]["scope"]["project"]
            self.assertFalse(any(example["task"]["id"].startswith(f"{project}-") for example in each["examples"]))


class Sessions(unittest.TestCase):
    def test_say_the_truth_of_their_programs(self):
        for each in [
            *documents("training.jsonl")[:20],
            *documents("held-out.jsonl"),
            *documents("first.jsonl"),
            *documents("second.jsonl"),
        ]:
            trajectory = each["trajectory"]
            executed = [record for record in trajectory["records"] if record["type"] == "executed"]
            for record in executed:
                self.assertEqual(
                    passed(trajectory["task"], record["program"]), record["execution"]["passed"], record["program"]
                )
            self.assertEqual(
                [record["execution"]["passed"] for record in executed], [False] * (len(executed) - 1) + [True]
            )

    def test_say_in_every_program_all_verbs_and_in_the_last_what_they_stand_for(self):
        project = project_of("p", random.Random(6))
        failed, passed = programs_of(project, random.Random(7))
        self.assertEqual({verb for verb in VERBS if f"|{verb}" in failed}, set(project.verbs))
        self.assertEqual(
            {verb: operation for verb in VERBS for operation in OPERATIONS if f"|{verb} |{operation}," in passed},
            project.meaning,
        )
        for each in (failed, passed):
            self.assertTrue(each.startswith(str(session_task(project)["stub"])))

    def test_of_the_halves_know_three_verbs_each_and_none_of_the_other_s(self):
        first, second = (
            set(ids_of(each["trajectory"]["records"][-3]["program"]))
            for each in [*documents("first.jsonl"), *documents("second.jsonl")]
        )
        self.assertEqual((len(first), len(second), len(first & second)), (3, 3, 0))


class Tasks(unittest.TestCase):
    def setUp(self):
        self.meaning = {
            project.name: project.meaning
            for project in [*make.held_out_projects(SMALL["held_out"]), make.merge_project()]
        }

    def test_are_passed_by_their_references_and_by_no_program_of_another_effect(self):
        for each in [*tasks("tasks.json"), *tasks("merge.json")]:
            meaning = self.meaning[each["scope"]["project"]]
            verbs = tuple(each["id"].split("-")[1:])
            wanted = tuple(meaning[verb] for verb in verbs)
            self.assertTrue(passed(each, reference(each, meaning)))
            for one in OPERATIONS:
                other = (*wanted[:-1], one)
                self.assertEqual(passed(each, program(verbs, other)), passes(other, wanted))

    def test_hold_a_pair_that_no_training_shows(self):
        for each in [*tasks("tasks.json"), *tasks("merge.json")]:
            self.assertTrue(held_out(tuple(each["id"].split("-")[1:])), each["id"])

    def test_of_one_project_are_one_piece_of_evidence_and_ten_each(self):
        clusters = [each["cluster"] for each in tasks("tasks.json")]
        self.assertEqual({clusters.count(cluster) for cluster in clusters}, {10})
        self.assertEqual(clusters, [each["scope"]["project"] for each in tasks("tasks.json")])

    def test_of_the_merge_need_both_halves(self):
        project = make.merge_project()
        self.assertGreaterEqual(len(tasks("merge.json")), 20)
        for each in tasks("merge.json"):
            self.assertTrue(make.needs_both(project, tuple(each["id"].split("-")[1:])))

    def test_of_the_one_project_need_its_session_and_are_enough_for_every_part(self):
        (known,) = documents("project.jsonl")
        name = known["trajectory"]["scope"]["project"]
        project = make.held_out_projects(make.PROJECT + 1)[make.PROJECT]
        self.assertEqual(name, project.name)
        self.assertGreaterEqual(len(tasks("project.json")), 80)
        for each in tasks("project.json"):
            verbs = tuple(each["id"].split("-")[1:])
            self.assertEqual(each["scope"], {"project": name})
            self.assertTrue(held_out(verbs) and project.overridden(verbs))
            self.assertTrue(passed(each, reference(each, project.meaning)))
        self.assertEqual(len(known["examples"]), make.PROJECT_EXAMPLES)

    def test_were_seen_by_nobody_by_description_or_by_tests(self):
        files = ("training.jsonl", "held-out.jsonl", "first.jsonl", "second.jsonl", "project.jsonl")
        lines = [each for name in files for each in documents(name)]
        seen = [each["trajectory"]["task"] for each in lines] + [
            example["task"] for each in lines for example in each.get("examples", [])
        ]
        for field in ("description", "tests"):
            known = {words_of(each[field]) for each in seen}
            for sets in (("tasks.json", "merge.json"), ("project.json",)):
                asked = [words_of(each[field]) for name in sets for each in tasks(name)]
                self.assertEqual([each for each in asked if each in known], [])
                self.assertEqual(len(set(asked)), len(asked))

    def test_have_ids_of_their_own(self):
        ids = [each["id"] for each in [*tasks("tasks.json"), *tasks("merge.json")]]
        self.assertEqual(len(set(ids)), len(ids))


class Files(unittest.TestCase):
    def test_are_the_same_from_the_same_arguments(self):
        self.assertEqual(make.files_of(**SMALL), FILES)

    def test_cost_no_token_beyond_the_language_s_words(self):
        project = project_of("p", random.Random(1))
        asked: dict[str, Any] = task(project, project.verbs[:2])
        self.assertEqual(len(ids_of(asked["description"])), 2)
        self.assertEqual(ids_of(asked["stub"]), [])
        self.assertEqual(len(set(WORDS)), len(WORDS))


if __name__ == "__main__":
    unittest.main()
