"""The programs can be run as they are written, and their directives mean what they say."""

import ast
import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from adversary import catalogue, expectations, snapshot
from adversary.checks import CHECKS
from adversary.report import Report
from adversary.trial import Result
from adversary.variants import VARIANTS


def read(text: str) -> catalogue.Program:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x01_example.py"
        path.write_text(text, encoding="utf-8")
        return catalogue.read(path)


class ProgramsTest(unittest.TestCase):
    def test_every_program_says_what_it_tries_and_is_python(self):
        for program in catalogue.read_all():
            with self.subTest(program.name):
                begins = "HONEST: " if program.kind == "honest" else "TRIES: "
                self.assertTrue(program.intent.startswith(begins), program.intent)
                self.assertTrue(
                    program.kind == "honest" or "SUCCESS: " in program.intent, "it must say what success would be"
                )
                for text in (*program.executions, program.tests):
                    ast.parse(text)

    def test_every_program_names_checks_and_variants_that_exist(self):
        for program in catalogue.read_all():
            with self.subTest(program.name):
                self.assertLessEqual({name for name, *_ in program.checks}, CHECKS.keys())
                self.assertLessEqual(set(program.variants), VARIANTS.keys())

    def test_every_check_and_variant_is_used(self):
        programs = catalogue.read_all()
        self.assertEqual({name for program in programs for name, *_ in program.checks}, CHECKS.keys())
        self.assertEqual({name for program in programs for name in program.variants}, VARIANTS.keys())

    def test_an_expectation_is_about_a_program_that_runs_in_that_variant(self):
        runs = {(program.name, variant) for program in catalogue.read_all() for variant in program.variants}
        self.assertLessEqual({(each.program, each.variant) for each in expectations.EXPECTED}, runs)


class ReadingTest(unittest.TestCase):
    def test_a_program_is_split_into_executions_and_tests_and_never_sees_its_directives(self):
        program = read(
            f"# TRIES: a.\n#: check = passed; peak held 2M\nfirst = 1\n{catalogue.NEXT}second = 2\n{catalogue.TESTS}assert third\n"
        )
        self.assertEqual(program.executions, ("# TRIES: a.\nfirst = 1\n", "second = 2\n"))
        self.assertEqual(program.tests, "assert third\n")
        self.assertEqual(program.checks, (("passed",), ("peak", "held", "2M")))

    def test_a_directive_that_means_nothing_is_refused(self):
        with self.assertRaisesRegex(catalogue.Malformed, "chek"):
            read("# TRIES: a.\n#: chek = passed\n")

    def test_an_attack_without_a_check_is_refused(self):
        with self.assertRaisesRegex(catalogue.Malformed, "what the observer looks for"):
            read("# TRIES: a.\n")

    def test_honest_programs_must_pass_unless_they_say_with_what_reason_they_are_refused(self):
        self.assertEqual(read("# HONEST: a.\n#: kind = honest\n").expect, ("Passed", ""))
        refused = read("# HONEST: a.\n#: kind = honest\n#: expect = TestsUnusable: can't cross\n")
        self.assertEqual(refused.expect, ("TestsUnusable", "can't cross"))


class ReportTest(unittest.TestCase):
    def _end(self, *results: tuple[str, str]) -> tuple[int, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            report = Report(verbose=False)
            for name, word in results:
                report.add(Result(name, "pod", word, "seen", 0.1, [], hurt=False))
            return report.end(), out.getvalue().splitlines()[-1]

    def test_what_held_and_what_is_fair_passes(self):
        self.assertEqual(self._end(("x01", "held"), ("h01", "fair")), (0, "2 passed, 0 failed"))

    def test_an_attack_that_succeeded_an_unfair_verdict_and_a_broken_control_fail(self):
        for word in ("succeeded", "unfair", "broken"):
            self.assertEqual(self._end(("x01", word), ("x02", "held")), (1, "1 passed, 1 failed"))

    def test_what_is_expected_passes_in_its_variant_only_and_never_where_the_suite_is_broken(self):
        known = expectations.EXPECTED[0]
        self.assertEqual(known.variant, "pod")
        self.assertEqual(self._end((known.program, "succeeded")), (0, "1 passed, 0 failed"))
        self.assertEqual(self._end((known.program, "broken")), (1, "0 passed, 1 failed"))

    def test_a_run_of_nothing_fails(self):
        self.assertEqual(self._end(), (1, "0 passed, 0 failed"))


class SnapshotTest(unittest.TestCase):
    def test_differences_name_what_is_new_gone_and_changed(self):
        before = {"a": ("0o600", 1), "b": ("0o600", 1), "names": ["x"]}
        after = {"a": ("0o777", 1), "c": ("0o600", 1), "names": ["y"]}
        self.assertEqual(
            snapshot.differences(before, after),
            ["a: 0o600 became 0o777", "b: gone", "c: new", "names: new ['y'], gone ['x']"],
        )
