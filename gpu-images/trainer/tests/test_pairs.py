import hyper_world
import tiny

from rune_trainer.contract import Reference
from rune_trainer.pairs import pairs_of, scope_of, solved, split_of
from rune_trainer.sources import Source
from rune_trainer.trajectory import Item


def of_project(project: str, name: str, word: str) -> Source:
    return Source(Item({**tiny.trajectory(name, [f"return {word}"]), "scope": {"project": project}}))


def answers(pair) -> list[str]:
    return [row.answer.split("return ")[1].split("\n")[0] for row in pair.rows]


def test_a_trajectory_is_asked_what_the_sessions_of_its_scope_were_asked():
    pairs = pairs_of(
        [of_project("p", "a", "1"), of_project("q", "b", "2"), of_project("p", "c", "3")], ("Programs",), scope_of
    )
    assert [answers(p) for p in pairs] == [["1", "3"], ["2"], ["1", "3"]]


def test_a_trajectory_without_a_scope_is_asked_its_own_alone():
    sources = hyper_world.sources(scoped=False)
    assert [len(p.rows) for p in pairs_of(sources, ("Programs",), scope_of)] == [1] * len(sources)


def test_examples_that_a_corpus_names_go_before_those():
    task = tiny.trajectory("a", [])["task"]
    source = Source(
        Item(
            of_project("p", "a", "1").trajectory,
            ({"task": task, "program": "return 7"}, {"task": task, "program": "return 8"}),
        )
    )
    assert answers(pairs_of([source, of_project("p", "b", "2")], ("Programs",), scope_of)[0]) == ["7", "8"]


def test_whole_scopes_are_held_out_by_the_seed_and_nothing_of_them_is_trained_on():
    sources = [of_project(f"p{n}", f"t{k}", f"{n}{k}") for n in range(10) for k in range(3)]
    split = split_of(sources, ("Programs",), 20, 0)
    held, kept = {p.group for p in split.held_out}, {p.group for p in split.training}
    assert (len(split.training), len(split.held_out), len(held)) == (24, 6, 2)
    assert not held & kept
    assert {a for p in split.held_out for a in answers(p)}.isdisjoint(a for p in split.training for a in answers(p))
    assert split == split_of(sources, ("Programs",), 20, 0)
    assert any({p.group for p in split_of(sources, ("Programs",), 20, seed).held_out} != held for seed in range(1, 5))


def test_of_one_scope_alone_tasks_are_held_out_and_their_programs_are_not_asked():
    sources = [of_project("one", f"t{n}", str(n)) for n in range(10)]
    split = split_of(sources, ("Programs",), 20, 0)
    assert (len(split.training), len(split.held_out)) == (8, 2)
    assert {a for p in split.held_out for a in answers(p)}.isdisjoint(a for p in split.training for a in answers(p))


def test_unsolved_trajectories_and_repetitions_teach_nothing():
    source = of_project("p", "a", "1")
    assert solved([source, Source(Item(tiny.trajectory("b", [], [("return 1", "E")]))), source]) == [source]


def test_lines_of_one_trajectory_are_one_with_the_examples_of_all_and_its_adapter():
    trajectory = of_project("p", "a", "1").trajectory
    asked = [{"task": trajectory["task"], "program": f"return {n}"} for n in (7, 8, 8)]
    adapter = Reference(repository="rune/demo/adapters", digest="sha256:" + "1" * 64)
    lines = [Source(Item(trajectory, (asked[0],)), adapter), *(Source(Item(trajectory, (each,))) for each in asked[1:])]
    (pair,) = pairs_of(solved([*lines, Source(Item(trajectory))]), ("Programs",), scope_of)
    assert (answers(pair), pair.adapter) == (["7", "8"], adapter)
