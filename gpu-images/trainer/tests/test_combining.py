"""Every combination against PEFT's, which works on whole matrices and whole models."""

import copy
from typing import Any

import pytest
import tiny
import torch
from parents import random_tensors
from peft.utils import merge_utils

from rune_trainer import delta
from rune_trainer.adapters import pairs_of
from rune_trainer.combining import Recipe, combined, draws, rank_of
from rune_trainer.delta import Pair
from rune_trainer.model import put_weights, with_lora
from rune_trainer.settings import Shape

OUT, IN = 40, 56


def pair(rank: int, seed: int) -> Pair:
    g = torch.Generator().manual_seed(seed)
    return Pair(torch.randn(rank, IN, generator=g), torch.randn(OUT, rank, generator=g))


PAIRS: list[Pair] = [pair(2, 0), pair(5, 1), pair(3, 2)]
WEIGHTS = (0.5, 1.0, 1.5)
EXACT: torch.Tensor = sum(w * p.formed() for w, p in zip(WEIGHTS, PAIRS, strict=True))


def recipe(combine: str, rank: int, **changed) -> Recipe:
    document: dict[str, Any] = {"weights": WEIGHTS, "density": 0.5, "seed": 7, **changed}
    return Recipe(combine=combine, rank=rank, **document)


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-4, rtol=1e-4)


def test_cat_is_the_exact_weighted_sum_of_adapters_of_unlike_ranks():
    made = combined("m", PAIRS, recipe("Cat", 10))
    assert made.pair.rank == 10 and close(made.pair.formed(), EXACT)
    assert made.kept == pytest.approx(made.of) == pytest.approx(EXACT.norm().item() ** 2, rel=1e-5)


def test_mean_is_the_exact_weighted_mean():
    made = combined("m", PAIRS, recipe("Mean", 10))
    assert close(made.pair.formed(), EXACT / 3)
    assert close(
        combined("m", PAIRS, recipe("Mean", 10, weights=(1.0,) * 3)).pair.formed(), sum(p.formed() for p in PAIRS) / 3
    )


@pytest.mark.parametrize("combine", ["Cat", "Mean", "Svd", "Ties", "DareTies"])
def test_weights_of_nothing_give_nothing(combine):
    made = combined("m", PAIRS, recipe(combine, 4, weights=(0.0,) * 3))
    assert not made.pair.formed().any() and made.kept == 0


def test_svd_is_the_nearest_change_of_its_rank_and_says_what_it_keeps():
    made = combined("m", PAIRS, recipe("Svd", 4))
    u, s, vt = torch.linalg.svd(EXACT)
    assert close(made.pair.formed(), u[:, :4] * s[:4] @ vt[:4])
    assert made.kept / made.of == pytest.approx((s[:4] ** 2).sum().item() / (s**2).sum().item(), rel=1e-4)
    assert delta.squared_distance(made.pair, made.exact) == pytest.approx((s[4:] ** 2).sum().item(), rel=1e-3)


def test_an_adapter_that_leaves_a_layer_alone_adds_nothing_to_it():
    made = combined("m", [None, PAIRS[1], None], recipe("Cat", 10))
    assert close(made.pair.formed(), PAIRS[1].formed())


@pytest.mark.parametrize(("combine", "theirs"), [("Ties", merge_utils.ties), ("DareTies", merge_utils.dare_ties)])
@pytest.mark.parametrize("density", [0.2, 0.5, 1.0])
def test_ties_and_dare_do_to_the_changes_what_peft_does_to_tensors(combine, theirs, density, monkeypatch):
    generators = iter([draws(7, "m", n) for n in range(3)])
    monkeypatch.setattr(
        merge_utils.torch, "bernoulli", lambda p, bernoulli=torch.bernoulli: bernoulli(p, generator=next(generators))
    )
    expected = theirs([p.formed() for p in PAIRS], torch.tensor(WEIGHTS), density)
    monkeypatch.undo()
    made = combined("m", PAIRS, recipe(combine, OUT, density=density))
    assert close(made.pair.formed(), expected)
    assert made.of == pytest.approx(expected.norm().item() ** 2, rel=1e-4)


@pytest.mark.parametrize("combine", ["Ties", "DareTies"])
def test_a_vote_doesn_t_depend_on_the_factors_of_a_change(combine):
    turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))[0]
    turned = [PAIRS[0], Pair(turn @ PAIRS[1].a, PAIRS[1].b @ turn.T), PAIRS[2]]
    same, other = (combined("m", pairs, recipe(combine, OUT)).pair.formed() for pairs in (PAIRS, turned))
    assert (same - other).norm() / same.norm() < 1e-2


def test_what_dare_drops_follows_from_seed_and_layer_alone():
    one, again, other, elsewhere = (
        combined(path, PAIRS, recipe("DareTies", 6, seed=seed)).pair
        for path, seed in (("m", 7), ("m", 7), ("m", 8), ("n", 7))
    )
    assert torch.equal(one.a, again.a) and torch.equal(one.b, again.b)
    assert not torch.equal(one.a, other.a) and not torch.equal(one.a, elsewhere.a)


def test_a_large_matrix_is_truncated_as_well_as_a_small_one(monkeypatch):
    decaying = (
        torch.randn(OUT, OUT, generator=torch.Generator().manual_seed(3))
        @ torch.diag(0.6 ** torch.arange(OUT))
        @ torch.randn(OUT, IN, generator=torch.Generator().manual_seed(4))
    )
    exact = delta.truncated_formed(decaying, 4, draws(0, "m", 0))
    monkeypatch.setattr(delta, "SMALL", 8)
    found = delta.truncated_formed(decaying, 4, draws(0, "m", 0))
    assert (found.formed() - exact.formed()).norm() / exact.formed().norm() < 1e-3


@pytest.mark.parametrize(
    ("combine", "asked", "rank"),
    [
        ("Cat", None, 10),
        ("Mean", None, 10),
        ("Svd", None, 5),
        ("Ties", None, 5),
        ("Cat", 4, 4),
        ("Svd", 64, 10),
        ("Ties", 64, 64),
        ("DareTies", None, 5),
    ],
)
def test_the_rank_of_the_result(combine, asked, rank):
    assert rank_of(combine, [2, 5, 3], asked) == rank


@pytest.mark.parametrize("theirs", ["cat", "svd"])
def test_a_model_with_the_merged_adapter_answers_as_with_peft_s(theirs):
    """PEFT's own method on a whole model; its `svd` truncates too."""
    shapes = [Shape(4, 8, ("down_proj", "q_proj")), Shape(4, 4, ("down_proj", "q_proj"))]
    tensors = [random_tensors(shape, seed, size=0.3) for seed, shape in enumerate(shapes)]
    merged = {
        path: combined(
            path,
            [pairs_of(t, s.scale)[path] for t, s in zip(tensors, shapes, strict=True)],
            recipe({"cat": "Cat", "svd": "Svd"}[theirs], 8 if theirs == "cat" else 4, weights=(0.5, 1.5)),
        ).pair
        for path in pairs_of(tensors[0], 1)
    }
    expected = peft_deltas(shapes, tensors, theirs, [0.5, 1.5])
    assert merged.keys() == expected.keys()
    assert all(torch.allclose(merged[path].formed(), expected[path], atol=1e-5) for path in merged)


def peft_deltas(shapes, tensors, combination, weights):
    """Path → ΔW of PEFT's add_weighted_adapter for the adapters `default` and `other`."""
    from peft import LoraConfig

    model = with_lora(tiny.model(), shapes[0])
    put_weights(model, tensors[0])
    model.add_adapter(
        "other",
        LoraConfig(
            r=shapes[1].rank,
            lora_alpha=shapes[1].alpha,
            target_modules=list(shapes[1].target_modules),
            task_type="CAUSAL_LM",
        ),
    )
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, t in tensors[1].items():
            own[name.replace(".weight", ".other.weight")].copy_(t)
    more = {"svd_rank": 4, "svd_full_matrices": False} if combination == "svd" else {}
    model.add_weighted_adapter(["default", "other"], weights, "merged", combination_type=combination, **more)
    layers = {
        name.removeprefix("base_model.model."): m for name, m in model.named_modules() if hasattr(m, "get_delta_weight")
    }
    return {name: copy.deepcopy(m.get_delta_weight("merged").detach()) for name, m in layers.items()}
