import math

import hyper_world
import pytest
import tiny
import torch

from rune_trainer import objectives
from rune_trainer.distillation import divergence, kept_of
from rune_trainer.examples import Example
from rune_trainer.lessons import Reader, taught_example
from rune_trainer.model import linear_shapes
from rune_trainer.pairs import split_of
from rune_trainer.sheet import logits_at, portions, sheet_of


def lessons_of(tokenizer=None, **changed):
    settings = hyper_world.settings_of(**changed)
    return Reader(tokenizer or tiny.tokenizer(), settings).lessons(
        split_of(hyper_world.sources(), ("Programs",), 20, 0).training
    )


def random_pairs(count: int, rank: int = 2, seed: int = 0):
    torch.manual_seed(seed)
    return {
        path: (torch.randn(count, rank, i), torch.randn(count, rank, o))
        for path, (i, o) in linear_shapes(tiny.model(), ("down_proj", "q_proj")).items()
    }


def deltas(pairs):
    return torch.cat([torch.einsum("nri,nro->nio", a, b).flatten(1) for a, b in pairs.values()], 1)


def test_a_random_adapter_has_the_norm_of_each_layer_and_is_as_far_away_as_unrelated_ones_are():
    wanted = random_pairs(3, rank=4, seed=1)
    random = objectives.random_like(wanted)
    for path in wanted:
        norms = [deltas({path: pairs[path]}).norm(dim=1) for pairs in (wanted, random)]
        torch.testing.assert_close(*norms)
    errors = objectives.reconstruction_errors(random, wanted)
    assert errors.tolist() == pytest.approx([2, 2, 2], abs=0.4)
    assert all(torch.equal(random[path][1], objectives.random_like(wanted)[path][1]) for path in wanted)


@pytest.mark.parametrize("together", [True, False])
def test_a_sheet_says_at_every_learnt_token_what_each_example_alone_would(together):
    model, groups = tiny.model(), [lesson.examples(0) for lesson in lessons_of()[:3]]
    groups[1] = [groups[1][0], Example("", groups[0][0].head[:9], groups[0][0].tail[:5])]
    sheet = sheet_of(groups, together, model.device)
    said = logits_at(model, sheet)
    assert torch.equal(sheet.targets, torch.tensor([t for g in groups for e in g for t in e.tail]))
    alone = []
    for example in (e for g in groups for e in g):
        logits = model(input_ids=torch.tensor([example.head + example.tail])).logits[0]
        alone.append(logits[len(example.head) - 1 : -1])
    torch.testing.assert_close(said, torch.cat(alone), rtol=1e-4, atol=1e-4)


def test_portions_hold_every_trajectory_once_in_order_and_a_large_one_alone():
    groups = [[Example("", (1,) * n, (1,))] for n in (10, 2048, 5, 5, 1000, 1030)]
    assert list(portions(groups, 100)) == [(0, 1), (1, 2), (2, 4), (4, 5), (5, 6)]
    assert list(portions(groups[:1], 1 << 30)) == [(0, 1)]


def test_no_token_of_the_trajectory_is_in_what_the_student_reads_and_the_teacher_reads_all_of_it():
    """Every word that only a trajectory has is replaced by one that no prompt has:
    the student's input must not change, the teacher's must.
    """
    marked = hyper_world.sources()
    for source in marked:
        for record in source.trajectory["records"]:
            if not record["execution"]["passed"]:
                record["program"], record["execution"]["error"] = "QQQQ", "ZZZZ"
    settings, tokenizer = hyper_world.settings_of(), tiny.tokenizer()
    secret = set(tokenizer("QZ")["input_ids"])
    for lesson in Reader(tokenizer, settings).lessons(split_of(marked, ("Programs",), 20, 0).training):
        assert secret <= {t for chunk in lesson.text.chunks for t in chunk}
        for question in lesson.groups[0]:
            assert not secret & {*question.example.head, *question.example.tail}
            taught = taught_example(tokenizer, lesson.text, question)
            assert secret <= set(taught.head)
            assert lesson.text.text in taught.prompt
            assert taught.tail == question.example.tail


def test_a_student_that_says_what_the_teacher_says_has_no_loss_and_others_have_the_pooled_divergence():
    teacher, student = torch.tensor([[2.0, 1.0, 0.0, -1.0]]), torch.tensor([[0.0, 1.0, 0.5, 3.0]])
    assert divergence(kept_of(teacher, 2), teacher).item() == pytest.approx(0, abs=1e-6)
    p, q = teacher.softmax(-1)[0].tolist(), student.softmax(-1)[0].tolist()
    pooled = [(p[0], q[0]), (p[1], q[1]), (p[2] + p[3], q[2] + q[3])]
    assert divergence(kept_of(teacher, 2), student).item() == pytest.approx(
        sum(a * math.log(a / b) for a, b in pooled), rel=1e-5
    )


def test_with_all_tokens_kept_the_divergence_is_the_whole_one():
    torch.manual_seed(0)
    teacher, student = torch.randn(5, 7), torch.randn(5, 7)
    whole = torch.nn.functional.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="sum"
    )
    torch.testing.assert_close(divergence(kept_of(teacher, 100), student), whole)


def test_the_error_of_reconstruction_is_the_relative_frobenius_error_of_the_changes():
    made, wanted = random_pairs(3, 2, 1), random_pairs(3, 4, 2)
    expected = (deltas(made) - deltas(wanted)).square().sum(1) / deltas(wanted).square().sum(1)
    torch.testing.assert_close(objectives.reconstruction_errors(made, wanted), expected, rtol=1e-4, atol=1e-4)
    nothing = {path: (a, b * 0) for path, (a, b) in made.items()}
    torch.testing.assert_close(objectives.reconstruction_errors(nothing, wanted), torch.ones(3))
    torch.testing.assert_close(objectives.reconstruction_errors(wanted, wanted), torch.zeros(3), atol=1e-5, rtol=0)


def test_inner_products_need_no_change_to_be_formed():
    pairs = random_pairs(4)
    torch.testing.assert_close(objectives.gram_of(pairs), deltas(pairs) @ deltas(pairs).T, rtol=1e-4, atol=1e-3)
    cosines = torch.nn.functional.normalize(deltas(pairs)) @ torch.nn.functional.normalize(deltas(pairs)).T
    torch.testing.assert_close(objectives.mean_cosine(pairs), (cosines.sum() - 4) / 12, rtol=1e-4, atol=1e-4)
