import pytest
import tiny

from rune_trainer.variety import Variety, correction_of, failure_mode, variety_of


@pytest.mark.parametrize(
    ("error", "outcome", "mode"),
    [
        ("AttributeError: tessera has no 'x3'; use tessera.veil(x)", "Error", "AttributeError"),
        ("AssertionError", "Failed", "AssertionError"),
        ("AssertionError: expected\n  a: 1\n  b: 2", "Failed", "AssertionError"),
        ('Traceback (most recent call last):\n  File "t.py", line 3\njson.decoder.JSONDecodeError: x\n', "Error", "JSONDecodeError"),
        ("line 3: NameError: name 'y' is not defined", "Error", "NameError"),
        ("not done after 10 seconds", "Timeout", "Timeout"),
        ("the program used up its memory", "OutOfMemory", "OutOfMemory"),
        ("", "Failed", "Failed"),
        ("wrong answer for [3, 1, 2]", None, "Failed"),
    ],
)  # fmt: skip
def test_a_failure_s_mode_is_the_class_of_its_error_or_else_its_outcome(error, outcome, mode):
    assert failure_mode({"passed": False, "error": error, **({"outcome": outcome} if outcome else {})}) == mode


def test_a_correction_is_what_changed_between_the_last_failure_and_the_first_pass():
    trajectory = tiny.trajectory("a", ["return 2", "return 3"], [("return 0", "E"), ("return 1", "E")])
    assert correction_of(trajectory) == ({("1", 1)}, {("2", 1)})


def test_a_trajectory_whose_first_program_passed_has_no_correction():
    trajectory = tiny.trajectory("a", ["return 1"])
    later = tiny.executed("return 0", False, "AssertionError")
    assert correction_of({**trajectory, "records": [*trajectory["records"], later]}) is None


def test_tests_that_can_t_judge_are_no_failure_of_a_program():
    trajectory = tiny.trajectory("a", ["return 1"], [("return 0", "NameError: y")])
    trajectory["records"][0]["execution"]["outcome"] = "TestsUnusable"
    assert correction_of(trajectory) is None
    assert variety_of([trajectory]) == Variety(solved=1, tasks=1, failure_modes=0, corrections=0)


def test_copies_of_one_trajectory_are_of_one_kind_however_many_they_are():
    same = [tiny.trajectory("a", ["return 2"], [("return 1", "KeyError: 'x'")]) for _ in range(60)]
    assert variety_of(same) == Variety(solved=60, tasks=1, failure_modes=1, corrections=1)
    other = tiny.trajectory("b", ["return veil(2)"], [("return 2", "TypeError: x"), ("return 2", "KeyError: 'y'")])
    assert variety_of([*same, other]) == Variety(solved=61, tasks=2, failure_modes=2, corrections=2)


def test_what_is_varied_is_told_in_words_and_by_the_names_of_status():
    variety = Variety(solved=60, tasks=1, failure_modes=2, corrections=3)
    assert (
        str(variety) == "60 solved trajectories with 1 distinct tasks, 2 classes of errors and 3 distinct corrections"
    )
    assert variety.metrics() == {"distinctTasks": 1, "failureModes": 2, "corrections": 3}
