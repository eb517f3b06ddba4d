import json

import parents
import pytest
import tiny
import torch
from parents import CANARY, LARGE, SMALL
from safetensors.torch import load, save

from rune_trainer import adapters, main, merging, method_merge, training_data, weight_search
from rune_trainer.combining import Recipe
from rune_trainer.contract import LEARNT_FILE, Exit, Merge, Search
from rune_trainer.delta import Pair
from rune_trainer.errors import Ending
from rune_trainer.job import parse_job
from rune_trainer.mlflow import Tracker
from rune_trainer.runtime import Runtime
from rune_trainer.settings import Shape, read_section
from rune_trainer.sft import Run


class World(parents.Family):
    def run(self, stop_after=None, document=None, **section):
        """The values of the result; with `stop_after`, it must stop after that many reports."""
        seen = []
        runtime = Runtime(seen.append, Tracker(None))
        # pyrefly: ignore [method-assign]  (stops after a number of reports)
        runtime.stopping = lambda: stop_after is not None and len(seen) >= stop_after
        return main.METHODS["merge"](parse_job(document or self.document(**section)), runtime)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.registry.close()


def test_the_sum_of_adapters_of_unlike_ranks_alphas_and_modules_is_exact(world):
    result = world.run(combine="Cat", weights=["0.5", "2"])
    config, layers = parents.layers_at(world.registry, result["digest"])
    assert (config["rank"], config["alpha"], config["targetModules"]) == (6, 6, ["down_proj", "q_proj"])
    merged = adapters.pairs_of(load(layers["adapter_model.safetensors"]), 1.0)
    first, second = (adapters.pairs_of(t, s.scale) for t, s in zip(world.tensors, (SMALL, LARGE), strict=True))
    for path, pair in merged.items():
        alone = 2 * second[path].formed()
        expected = alone + 0.5 * first[path].formed() if path in first else alone
        assert torch.allclose(pair.formed(), expected, atol=1e-5), path
    assert len(merged) == 4
    assert result["metrics"]["relativeErrorToExactSum"] < 1e-6 and result["metrics"]["retainedEnergy"] == pytest.approx(
        1
    )


@pytest.mark.parametrize("combine", ["Cat", "Ties"])
def test_the_result_has_another_adapter_s_strength_where_one_is_asked_for(world, combine):
    like = parents.published(world.registry, world.base, "c", LARGE, parents.random_tensors(LARGE, 7, size=0.3))
    wanted = merging.norm(adapters.pairs_of(parents.random_tensors(LARGE, 7, size=0.3), LARGE.scale))
    document = world.document(combine=combine, normOf="c")
    result = world.run(document={**document, "adapters": [*world.adapters, like]})
    config, layers = parents.layers_at(world.registry, result["digest"])
    assert config["parents"] == [{"name": a["name"], "digest": a["digest"]} for a in world.adapters]
    assert merging.norm(adapters.pairs_of(load(layers["adapter_model.safetensors"]), 1.0)) == pytest.approx(
        wanted, rel=1e-3
    )
    assert result["deltaWNorm"] == pytest.approx(wanted, rel=1e-3)


def test_one_adapter_at_another_s_strength_is_itself_but_for_a_factor(world):
    alone = world.adapters[:1]
    document = parents.document(
        world.directory, world.registry, world.base, "merge", {"adapters": ["a"], "normOf": "b"}, alone
    )
    result = world.run(document={**document, "adapters": world.adapters})
    _, layers = parents.layers_at(world.registry, result["digest"])
    scaled, own = (
        adapters.pairs_of(load(layers["adapter_model.safetensors"]), 1.0),
        adapters.pairs_of(world.tensors[0], SMALL.scale),
    )
    factors = [scaled[path].formed() / own[path].formed() for path in own]
    assert all(torch.allclose(f, factors[0][0, 0], rtol=1e-3) for f in factors)
    assert (result["rank"], set(scaled)) == (SMALL.rank, set(own))


def test_the_strength_of_an_adapter_that_changes_nothing_is_refused(world):
    zero = {name: torch.zeros_like(t) for name, t in world.tensors[0].items()}
    with pytest.raises(Ending, match="changes nothing, so it has no strength to give") as ended:
        method_merge.norm_of(adapters.Adapter("z", "d", SMALL, {}, zero, training_data.TrainingData()))
    assert ended.value.reason == "NothingToImitate"


def test_the_artifact_names_its_parents_and_what_both_have_learnt_from(world):
    config, layers = parents.layers_at(world.registry, world.run()["digest"])
    assert config["parents"] == [{"name": a["name"], "digest": a["digest"]} for a in world.adapters]
    assert (config["generation"], config["scope"], config["canary"]["prompt"]) == (
        1,
        {"project": "tessera"},
        CANARY["prompt"],
    )
    known = json.loads(layers[LEARNT_FILE])
    assert known["trajectories"] == sorted(world.digests)
    assert sorted(t["id"] for t in known["tasks"]) == ["HumanEval/0", "HumanEval/1", "HumanEval/2"]


@pytest.mark.parametrize("combine", ["Mean", "Svd", "Ties", "DareTies"])
def test_every_other_combination_ends_with_an_adapter_that_says_what_it_lost(world, combine):
    result = world.run(combine=combine, seed=3)
    assert result["rank"] == (6 if combine == "Mean" else 4)
    assert 0.3 < result["metrics"]["retainedEnergy"] <= 1
    assert (result["metrics"]["relativeErrorToExactSum"] < 1e-6) == (combine == "Mean")


def test_the_error_is_that_of_the_weights_as_they_are_served(world):
    tensors = [{name: t.bfloat16() for name, t in each.items()} for each in world.tensors]
    world.adapters = [
        parents.published(world.registry, world.base, n, s, t)
        for n, s, t in zip("ab", (SMALL, LARGE), tensors, strict=True)
    ]
    result = world.run(weights=["0.7", "0.7"])
    _, layers = parents.layers_at(world.registry, result["digest"])
    assert {t.dtype for t in load(layers["adapter_model.safetensors"]).values()} == {torch.bfloat16}
    assert 1e-4 < result["metrics"]["relativeErrorToExactSum"] < 1e-2


def test_equal_jobs_give_equal_bytes(world):
    first = world.run(combine="DareTies", seed=5)
    world.registry.tags.clear()
    assert world.run(combine="DareTies", seed=5)["digest"] == first["digest"]
    world.registry.tags.clear()
    assert world.run(combine="DareTies", seed=6)["digest"] != first["digest"]


def test_an_attempt_after_a_lost_message_adopts_what_is_published(world):
    first = world.run(combine="Svd")
    again = world.run(combine="Svd")
    assert {**again, "durationSeconds": 0} == {
        **{n: v for n, v in first.items() if n != "weights"},
        "durationSeconds": 0,
    }


@pytest.mark.parametrize("method", ["Grid", "CMAES"])
def test_a_search_minimises_the_loss_of_validation_programs_and_resumes_where_it_was(world, method, monkeypatch):
    asked = []
    monkeypatch.setattr(
        weight_search,
        "mean_loss",
        lambda _, examples, __: asked.append([e.tail for e in examples]) or abs(len(asked) - 4),
    )
    with pytest.raises(Ending) as ended:
        world.run(stop_after=3, search={"method": method, "evaluations": 7})
    assert (ended.value.code, len(asked)) == (Exit.TERMINATED, 3)
    result = world.run(search={"method": method, "evaluations": 7})
    assert len(asked) == 7 and len(asked[0]) == 2, "HumanEval/1 is for training"
    assert (result["trainingLoss"], result["steps"], result["examples"]) == (0, 7, 2)
    assert len(result["weights"]) == 2 and (len(set(result["weights"])) == 1) == (method == "Grid")


def test_a_search_finds_no_worse_weights_than_one_each(world):
    result = world.run(search={"evaluations": 5})
    model_loss = world.run(
        document={**world.document(search={"evaluations": 3}), "owner": {**tiny.document()["owner"], "uid": "other"}}
    )
    assert result["trainingLoss"] <= model_loss["trainingLoss"] + 1e-5
    assert result["trainingLoss"] > 0


def test_without_a_validation_task_it_says_what_to_do(world):
    tasks = [{"id": "HumanEval/1", "description": "1", "tests": ""}]
    only = training_data.of_tasks([world.digests[1], "sha256:" + "9" * 64], tasks)
    world.adapters = [
        parents.published(world.registry, world.base, n, s, t, only)
        for n, s, t in zip("ab", (SMALL, LARGE), world.tensors, strict=True)
    ]
    with pytest.raises(
        Ending, match=r"none of the 1 trajectories .*\(1 more are gone\).* or set merge.weights"
    ) as ended:
        world.run(search={})
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, "NoValidationTasks")


@pytest.mark.parametrize(
    ("change", "reason", "said"),
    [
        (
            {"base": {"path": "x", "name": "other", "digest": "sha256:" + "2" * 64}},
            "BaseMismatch",
            "adapter b .* was made for base other .* name adapters of one base",
        ),
        ({"peft": {"use_rslora": True}}, "NotAnAdapter", "sets use_rslora"),
        ({"peft": {"r": 3}}, "NotAnAdapter", "says rank 3"),
        ({"spoil": lambda t, k: t.update({k: t[k] * float("nan")})}, "NotFinite", "holds NaN"),
        ({"spoil": lambda t, k: t.pop(k)}, "NotAnAdapter", "is no half of a LoRA pair"),
        ({"spoil": lambda t, k: b"PK\x03\x04 a pickle"}, "NotAnAdapter", "SafetensorError"),
        ({"spoil": lambda t, k: t.update({k: t[k][:1]})}, "NotAnAdapter", "has rank 1"),
        ({"spoil": lambda t, k: t.update({k: t[k][:, :5].contiguous()})}, "ShapeMismatch", "the base has"),
    ],
    ids=[
        "another base",
        "rsLoRA",
        "another rank",
        "NaN",
        "half a pair",
        "no safetensors",
        "a short tensor",
        "another width",
    ],
)
def test_a_parent_that_can_t_be_merged_is_named_with_what_is_wrong(world, change, reason, said):
    base = world.base.__class__(**change["base"]) if "base" in change else world.base
    world.adapters[1] = parents.published(world.registry, base, "b", LARGE, world.tensors[1], **change.get("peft", {}))
    if "spoil" in change:
        spoil_weights(world, change["spoil"])
    with pytest.raises(Ending, match=said) as ended:
        world.run()
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, reason)


def spoil_weights(world, spoil):
    """Replaces the weights in the second adapter's artifact, as an import without checks would."""
    manifest = json.loads(world.registry.manifests[world.adapters[1]["digest"]])
    tensors = dict(world.tensors[1])
    spoilt = spoil(tensors, min(tensors))
    data = spoilt if isinstance(spoilt, bytes) else save(tensors)
    [layer] = [
        each
        for each in manifest["layers"]
        if each["annotations"]["org.opencontainers.image.title"] == "adapter_model.safetensors"
    ]
    world.registry.blobs[tiny_digest(data)] = data
    layer["digest"] = tiny_digest(data)
    world.adapters[1]["digest"] = world.registry.add_manifest(manifest)


def tiny_digest(data: bytes) -> str:
    return f"sha256:{tiny.sha(data)}"


def test_a_control_is_not_merged(world):
    document = parents.document(
        world.directory, world.registry, world.base, "control", {"like": "b"}, [world.adapters[1]]
    )
    made = main.METHODS["control"](parse_job(document), Runtime(lambda _: None, Tracker(None)))
    world.adapters[1]["digest"] = made["digest"]
    with pytest.raises(Ending, match="adapter b is a control, which knows nothing") as ended:
        world.run()
    assert ended.value.reason == "ControlAdapter"


def test_a_parent_that_is_gone_or_no_adapter_is_refused(world):
    world.adapters[1]["digest"] = world.digests[0]
    with pytest.raises(Ending, match=r"adapter b .* is of type None") as ended:
        world.run()
    assert ended.value.reason == "NotAnAdapter"
    world.adapters[1]["digest"] = "sha256:" + "3" * 64
    with pytest.raises(Ending, match=r"adapter b .* is not in the registry") as ended:
        world.run()
    assert ended.value.reason == "ArtifactMissing"


@pytest.mark.parametrize(
    ("ranks", "section", "said"),
    [
        ([300, 300], {"combine": "Cat"}, "has rank 600, servers take at most 512; set merge.rank"),
        ([4, 4], {"combine": "Mean", "search": {"method": "Grid"}}, "use CMAES, or combine: Cat"),
        ([4, 4], {"combine": "Mean", "weights": ["0", "0"]}, "merge.weights are all 0"),
        ([4], {"adapters": ["a"]}, "needs two adapters at least; one alone is for normOf"),
        ([4, 4], {"normOf": "c", "search": {}}, "fixes the strength that search would look for"),
    ],
)
def test_a_merge_that_makes_no_sense_is_refused_with_what_to_change(ranks, section, said):
    some = [
        adapters.Adapter("a", "d", Shape(rank, rank, ("q_proj",)), {}, {}, training_data.TrainingData())
        for rank in ranks
    ]
    with pytest.raises(Ending, match=said):
        method_merge.shape_of(read_section(Merge, {"adapters": ["a", "b"], **section}, "merge"), some)


def test_weights_whose_sum_is_nothing_end_with_a_refusal_and_no_adapter(world):
    before = set(world.registry.manifests)
    with pytest.raises(Ending, match=r"every B is zero.*give merge.weights above 0"):
        world.run(weights=["0", "0"])
    assert set(world.registry.manifests) == before


def parts(layers=4):
    g = torch.Generator().manual_seed(0)
    return [
        {f"l{n}": Pair(torch.randn(2, 6, generator=g), torch.randn(5, 2, generator=g)) for n in range(layers)}
        for _ in range(2)
    ]


def run_in(directory, stop_after=None, every=100):
    seen = []
    return Run(
        directory, {"uid": "one"}, every, lambda: stop_after is not None and len(seen) >= stop_after, seen.append
    )


RECIPE = Recipe("DareTies", (1.0, 1.0), 2, 0.5, 1)


def test_a_merge_that_was_stopped_or_killed_goes_on_layer_by_layer_to_the_same_result(tmp_path):
    whole, losses = merging.merged(parts(), RECIPE, torch.float32, run_in(tmp_path / "whole"))
    with pytest.raises(Ending) as ended:
        merging.merged(parts(), RECIPE, torch.float32, run_in(tmp_path / "parts", stop_after=2))
    assert ended.value.code == Exit.TERMINATED
    seen = []
    resumed, resumed_losses = merging.merged(
        parts(), RECIPE, torch.float32, Run(tmp_path / "parts", {"uid": "one"}, 1, report=seen.append)
    )
    assert [(p.step, p.total, p.loss) for p in seen] == [(3, 4, None), (4, 4, None)]
    assert all(torch.equal(whole[p].a, resumed[p].a) and torch.equal(whole[p].b, resumed[p].b) for p in whole)
    assert losses == resumed_losses


def test_a_merge_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path):
    seen = []

    def killed(progress):
        seen.append(progress.step)
        if progress.step == 3:
            raise KeyboardInterrupt

    whole, _ = merging.merged(parts(), RECIPE, torch.float32, run_in(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        merging.merged(parts(), RECIPE, torch.float32, Run(tmp_path / "parts", {"uid": "one"}, 1, report=killed))
    resumed, _ = merging.merged(
        parts(), RECIPE, torch.float32, Run(tmp_path / "parts", {"uid": "one"}, 1, report=lambda p: seen.append(p.step))
    )
    assert seen == [1, 2, 3, 3, 4]
    assert all(torch.equal(whole[p].a, resumed[p].a) for p in whole)


def test_weights_beyond_all_numbers_end_the_merge(tmp_path):
    with pytest.raises(Ending, match=r"lower merge.weights"):
        merging.merged(parts(), Recipe("Cat", (1e39, 1.0), 4, 0.5, 1), torch.float32, run_in(tmp_path))


def test_losses_that_are_no_numbers_are_passed_over_and_all_of_them_end_the_search(tmp_path):
    values = iter([float("nan"), 2.0, float("inf")])
    assert (
        weight_search.search(
            2, Search(method="Grid", evaluations=3), 0, lambda _: next(values), run_in(tmp_path / "some")
        ).loss
        == 2.0
    )
    with pytest.raises(Ending, match="none of 3 sets of weights"):
        weight_search.search(
            2, Search(method="Grid", evaluations=3), 0, lambda _: float("nan"), run_in(tmp_path / "none")
        )


@pytest.mark.parametrize("method", ["Grid", "CMAES"])
def test_a_search_comes_near_to_the_best_weights(tmp_path, method):
    best = (0.7, 0.7) if method == "Grid" else (0.4, 1.3)
    found = weight_search.search(
        2,
        Search(method=method, evaluations=60),
        0,
        lambda w: sum((a - b) ** 2 for a, b in zip(w, best, strict=True)),
        run_in(tmp_path),
    )
    assert found.weights == pytest.approx(best, abs=0.15)
    assert found.tried == 60
