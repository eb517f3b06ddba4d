import contextlib
import dataclasses
import json

import hyper_world
import pytest
import tiny
import torch
from peft import PeftModel
from safetensors.torch import load, save
from tokenizers import Regex, normalizers
from worlds import Factory

from rune_trainer import adapter_io
from rune_trainer.canonical import canonical
from rune_trainer.encoder import text_of
from rune_trainer.errors import Ending
from rune_trainer.functional import applied, joined
from rune_trainer.generator import Generator, read
from rune_trainer.job import parse_job
from rune_trainer.lessons import Reader
from rune_trainer.method_hypernetwork import check_window
from rune_trainer.pairs import pairs_of, scope_of
from rune_trainer.registry import Repository
from rune_trainer.sufficiency import check_lessons

MEDIA = {
    "hypernetwork": "application/vnd.rune.hypernetwork.v1+json",
    "adapter": "application/vnd.rune.adapter.v1+json",
    "adapters": "application/vnd.rune.adapters.v1+json",
}


@pytest.fixture
def factory(tmp_path):
    made = Factory(tmp_path)
    yield made
    made.registry.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A factory that has trained one hypernetwork, and the result."""
    made = Factory(tmp_path_factory.mktemp("factory"))
    code, message = made.run()
    assert code == 0, message
    yield made, message
    made.registry.close()


def test_one_hypernetwork_is_published_with_what_it_learnt_from_and_what_was_measured(trained):
    factory, message = trained
    config, files = factory.config(message["digest"]), factory.files(message["digest"])
    assert factory.manifest(message["digest"])["artifactType"] == MEDIA["hypernetwork"]
    assert set(files) == set(config["files"]) == {"corpus.json", "hypernetwork.safetensors", "training.json"}
    assert (config["rank"], config["collapsed"], config["chunkTokens"], config["settings"]["learningRate"]) == (
        2,
        False,
        256,
        "0.005",
    )
    assert (message["steps"], message["examples"], "rank" in message, "collapsed" in message) == (6, 10, False, False)
    names = {
        "cosineDiversity",
        "varianceRatio",
        "effectiveRank",
        "behaviourDistance",
        "rightMinusWrong",
        "rightMinusMean",
        "relativeNorm",
        "droppedPercent",
        "distinctTasks",
        "failureModes",
        "corrections",
    }
    assert set(message["metrics"]) == names
    assert [message["metrics"][name] for name in ("distinctTasks", "failureModes", "corrections")] == [10, 1, 10]
    assert json.loads(files["corpus.json"])["trajectories"] == [factory.document["corpus"]["trajectories"][0]["digest"]]


def test_a_hypernetwork_shows_its_losses_and_its_last_measurements_as_its_run_tells_them(trained):
    factory, message = trained
    shown = json.loads(factory.files(message["digest"])["training.json"])
    assert (shown["trained"], [point["step"] for point in shown["loss"]]) == ("Hypernetwork", [1, 2, 3, 4, 5, 6])
    [last] = shown["checkpoints"]
    of_corpus = {"droppedPercent", "distinctTasks", "failureModes", "corrections"}
    told = {name: value for name, value in message["metrics"].items() if name not in of_corpus}
    assert last["step"] == 6 and told.items() <= last["measured"].items()
    assert last["measured"]["deltaWNorm"] == pytest.approx(message["deltaWNorm"], abs=1e-4)


def test_an_attempt_after_a_lost_message_adopts_the_hypernetwork(trained):
    factory, first = trained
    factory.asks_to_train()
    code, second = factory.run()
    assert code == 0
    assert {**second, "durationSeconds": 0} == {**first, "durationSeconds": 0}


def test_one_adapter_of_the_whole_corpus_holds_a_part_for_each_chunk_and_the_static_one(trained):
    factory, made = trained
    factory.asks_to_generate(made, "Corpus")
    code, message = factory.run()
    assert code == 0, message
    assert factory.manifest(message["digest"])["artifactType"] == MEDIA["adapter"]
    assert message["rank"] == message["alpha"] == 2 * (10 * 1 + 1)
    config = factory.config(message["digest"])
    assert (config["scope"], "session" in config, config["rank"]) == ({}, False, 22)
    seen = json.loads(factory.files(message["digest"])["corpus.json"])
    assert seen == json.loads(factory.files(made["digest"])["corpus.json"])


def told_of(made: dict) -> dict:
    """What the adapters of a hypernetwork repeat of its training."""
    return {"digest": made["digest"], "trainingLoss": made["trainingLoss"], "metrics": made["metrics"]}


@pytest.mark.parametrize("each", ["Corpus", "Session"])
def test_a_generated_adapter_tells_its_own_norm_and_how_its_hypernetwork_s_training_went(trained, each):
    factory, made = trained
    factory.asks_to_generate(made, each)
    _, message = factory.run()
    digests = [m["digest"] for m in factory.manifest(message["digest"]).get("manifests", [])] or [message["digest"]]
    told = [factory.statistics(digest) for digest in digests]
    assert [t["hypernetwork"] for t in told] == [told_of(made)] * len(digests)
    assert {t["examples"] for t in told} == {1 if each == "Session" else 10}
    assert (len({t["deltaWNorm"] for t in told}) > 1) == (each == "Session")
    assert sum(t["deltaWNorm"] for t in told) / len(told) == pytest.approx(message["deltaWNorm"], abs=1e-4)
    assert "hypernetwork" not in message
    shown = factory.files(made["digest"])["training.json"]
    assert all(factory.files(digest)["training.json"] == shown for digest in digests)


def test_an_index_holds_an_adapter_for_each_session_with_its_own_scope_and_equal_jobs_give_equal_bytes(trained):
    factory, made = trained
    factory.asks_to_generate(made, "Session")
    code, message = factory.run()
    assert (code, message["adapters"], "rank" in message) == (0, 10, False), message
    index = factory.manifest(message["digest"])
    assert index["artifactType"] == MEDIA["adapters"]
    configs = [factory.config(each["digest"]) for each in index["manifests"]]
    assert [c["scope"] for c in configs] == [{"project": name} for name in hyper_world.NAMES]
    assert [c["session"] for c in configs] == [t["session"] for t in hyper_world.trajectories()]
    assert {c["rank"] for c in configs} == {4}
    assert len({factory.files(each["digest"])["adapter_model.safetensors"] for each in index["manifests"]}) == 10
    del factory.registry.tags["run-user-Session"]
    assert factory.run()[1]["digest"] == message["digest"]


def test_the_scope_of_the_job_goes_before_a_session_s_own(trained):
    factory, made = trained
    factory.asks_to_generate(made, "Session")
    factory.document["owner"]["uid"] = "scoped"
    factory.document["output"]["scope"] = {"project": "all"}
    _, message = factory.run()
    del factory.document["output"]["scope"]
    configs = [factory.config(each["digest"]) for each in factory.manifest(message["digest"])["manifests"]]
    assert all(c["scope"] == {"project": "all"} for c in configs)


def test_what_peft_loads_answers_as_the_hypernetwork_s_own_forward(trained, tmp_path):
    factory, made = trained
    factory.asks_to_generate(made, "Session")
    _, message = factory.run()
    stored = read(Repository(factory.registry.url, "/nowhere", made["repository"]), parse_job(factory.document))
    base, ids = tiny.model(), torch.arange(40)[None]
    generator = Generator(base, stored)
    for each, trajectory in list(
        zip(factory.manifest(message["digest"])["manifests"], hyper_world.trajectories(), strict=True)
    )[:3]:
        for name, content in factory.files(each["digest"]).items():
            (tmp_path / name).write_bytes(content)
        pairs = joined([generator.pairs_of(text_of(tiny.tokenizer(), trajectory, 256, 3)), generator.static()])
        with torch.no_grad():
            with applied(base, pairs):
                functional = base(input_ids=ids).logits
            loaded = PeftModel.from_pretrained(tiny.model(), tmp_path)(input_ids=ids).logits
            assert not torch.allclose(functional, base(input_ids=ids).logits, atol=1e-3)
        torch.testing.assert_close(loaded, functional, rtol=1e-4, atol=1e-5)


def rewritten(factory: Factory, made: dict, **changed: object) -> dict:
    """The artifact with another config."""
    manifest = factory.manifest(made["digest"])
    blob = canonical({**factory.config(made["digest"]), **changed})
    digest = f"sha256:{tiny.sha(blob)}"
    factory.registry.blobs[digest] = blob
    return {
        **made,
        "digest": factory.registry.add_manifest({**manifest, "config": {**manifest["config"], "digest": digest}}),
    }


@pytest.mark.parametrize(
    ("changed", "reason", "said"),
    [
        ({"base": {"name": "other", "digest": "sha256:" + "f" * 64}}, "WrongBase", "was trained on the base other"),
        ({"collapsed": True}, "Collapsed", "generate.force"),
        ({"rank": 3}, "WrongRank", "says rank 3"),
        ({"settings": {**hyper_world.SECTION, "width": 64}}, "WrongShape", "don't fit this base"),
        ({"settings": None}, "InvalidSpec", "settings"),
    ],
)
def test_a_hypernetwork_that_doesn_t_fit_is_refused_in_words(trained, changed, reason, said):
    factory, made = trained
    factory.asks_to_generate(rewritten(factory, made, **changed), "Corpus")
    factory.document["owner"]["uid"] = f"refused-{reason}"
    code, message = factory.run()
    assert (message["failure"]["reason"], said in message["failure"]["message"]) == (reason, True), message
    assert code in (64, 65)


def test_a_collapsed_hypernetwork_is_taken_by_force(trained):
    factory, made = trained
    factory.asks_to_generate(rewritten(factory, made, collapsed=True), "Session", force=True)
    factory.document["owner"]["uid"] = "forced"
    code, message = factory.run()
    assert code == 0
    first = factory.manifest(message["digest"])["manifests"][0]["digest"]
    assert factory.statistics(first)["hypernetwork"]["collapsed"] == "an alarm ended the training"


def test_a_hypernetwork_of_an_earlier_version_makes_adapters_that_tell_which_it_was(trained):
    factory, made = trained
    manifest = factory.manifest(made["digest"])
    del manifest["annotations"]
    titled = "org.opencontainers.image.title"
    manifest["layers"] = [each for each in manifest["layers"] if each["annotations"][titled] != "training.json"]
    digest = factory.registry.add_manifest(manifest)
    factory.asks_to_generate({**made, "digest": digest}, "Corpus")
    factory.document["owner"]["uid"] = "unknown"
    code, message = factory.run()
    assert code == 0, message
    assert factory.statistics(message["digest"])["hypernetwork"] == {"digest": digest}
    assert "training.json" not in factory.files(message["digest"])


def test_a_hypernetwork_that_says_nan_makes_no_adapter(trained):
    factory, made = trained
    manifest, tensors = (
        factory.manifest(made["digest"]),
        load(factory.files(made["digest"])["hypernetwork.safetensors"]),
    )
    spoilt = save({name: t * float("nan") if name.endswith("scale_b") else t for name, t in tensors.items()})
    [layer] = [
        each
        for each in manifest["layers"]
        if each["annotations"]["org.opencontainers.image.title"] == "hypernetwork.safetensors"
    ]
    layer["digest"] = f"sha256:{tiny.sha(spoilt)}"
    factory.registry.blobs[layer["digest"]] = spoilt
    factory.asks_to_generate({**made, "digest": factory.registry.add_manifest(manifest)}, "Corpus")
    factory.document["owner"]["uid"] = "nan"
    code, message = factory.run()
    assert (code, message["failure"]["reason"]) == (65, "UnusableAdapter")
    assert "NaN" in message["failure"]["message"] and "train the hypernetwork longer" in message["failure"]["message"]
    assert "run-nan" not in factory.registry.tags


def test_an_adapter_is_no_hypernetwork(trained):
    factory, made = trained
    digest = factory.registry.add_manifest({**factory.manifest(made["digest"]), "artifactType": MEDIA["adapter"]})
    factory.asks_to_generate({**made, "digest": digest}, "Corpus")
    factory.document["owner"]["uid"] = "another"
    assert factory.run()[1]["failure"]["reason"] == "UnexpectedArtifact"


def test_more_trajectories_than_a_rank_has_room_for_are_refused_with_what_to_do(trained):
    factory, made = trained
    factory.asks_to_generate(made, "Corpus")
    factory.document["owner"]["uid"] = "many"
    factory.corpus(factory.lines * 26)
    _, message = factory.run()
    factory.corpus()
    assert message["failure"]["reason"] == "RankTooLarge"
    assert "rank 522" in message["failure"]["message"] and "each: Session" in message["failure"]["message"]


def test_a_run_that_an_alarm_stops_is_published_as_collapsed_with_the_alarm_s_words(factory):
    factory.asks_to_train(stop={"afterPercent": 0, "cosineDiversityBelow": "0", "rightMinusWrongBelow": "100"})
    factory.document["checkpoint"]["everySteps"] = 2
    code, message = factory.run()
    assert (code, message["steps"]) == (0, 2)
    assert "right minus wrong is" in message["collapsed"]
    assert factory.config(message["digest"])["collapsed"] is True
    assert factory.run()[1]["collapsed"] == message["collapsed"]
    factory.asks_to_generate(message, "Corpus", force=True)
    forced = factory.statistics(factory.run()[1]["digest"])
    assert forced["hypernetwork"] == {**told_of(message), "collapsed": message["collapsed"]}


@pytest.mark.parametrize(
    ("section", "lines", "said"),
    [
        ({"minimumPairs": 50}, lambda lines: lines, "10 different trajectories"),
        ({}, lambda lines: lines[:1] * 20, "1 different trajectories"),
        (
            {},
            lambda lines: [{"trajectory": {**line["trajectory"], "scope": {}}} for line in lines],
            "1 distinct tasks, 1 classes of errors and 10 distinct corrections",
        ),
        ({"minimumPairs": 3}, lambda lines: lines[:3], "3 scopes or tasks"),
        ({"maxLength": 64}, lambda lines: lines, "raise hypernetwork.maxLength"),
        ({"objective": "Reconstruction"}, lambda lines: lines, "10 of 10 trajectories have no adapter"),
    ],
)
def test_a_corpus_that_can_t_teach_is_refused_in_words_before_any_weight_is_read(factory, section, lines, said):
    factory.asks_to_train(**section)
    factory.corpus(lines(factory.lines))
    code, message = factory.run()
    assert (code, message["failure"]["reason"]) == (64, "CorpusInsufficient"), message
    assert said in message["failure"]["message"]


def test_a_tokenizer_to_which_all_trajectories_read_alike_is_found_out():
    tokenizer, settings = tiny.tokenizer(), hyper_world.settings_of()
    pairs = pairs_of(hyper_world.sources(), ("Programs",), scope_of)
    check_lessons(Reader(tokenizer, settings).lessons(pairs), 2, settings)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex("Task: [\\s\\S]*Passed"), "a")
    with pytest.raises(Ending, match="10 trajectories read as 1 different sequences of tokens") as ended:
        check_lessons(Reader(tokenizer, settings).lessons(pairs), 2, settings)
    assert ended.value.reason == "CorpusInsufficient"


def test_held_out_trajectories_of_which_none_is_wrong_for_another_are_refused():
    settings = hyper_world.settings_of()
    lessons = Reader(tiny.tokenizer(), settings).lessons(pairs_of(hyper_world.sources(), ("Programs",), scope_of))
    with pytest.raises(Ending, match=r"the 2 trajectories held out .* are of one scope or task") as ended:
        check_lessons([*lessons[:-1], dataclasses.replace(lessons[-1], group=lessons[-2].group)], 2, settings)
    assert ended.value.reason == "CorpusInsufficient"


@pytest.mark.parametrize(
    ("objective", "window", "said"),
    [
        ("Distillation", 100, "chunkTokens allows chunks of"),
        ("Distillation", 300, "the teacher would read a trajectory and a question of"),
        ("CrossEntropy", 300, None),
        ("Distillation", 4096, None),
    ],
)
def test_what_the_base_can_t_read_at_once_is_refused(objective, window, said):
    settings = hyper_world.settings_of(objective=objective)
    lessons = Reader(tiny.tokenizer(), settings).lessons(pairs_of(hyper_world.sources(), ("Programs",), scope_of))
    with pytest.raises(Ending, match=said) if said else contextlib.nullcontext():
        check_window(lessons, window, settings)


def test_corrections_of_few_tasks_are_refused(factory):
    factory.document["corpus"]["include"] = ["Programs", "Corrections"]
    assert "leave Corrections out" in factory.run()[1]["failure"]["message"]


def test_a_module_that_the_base_lacks_is_named(factory):
    factory.asks_to_train(targetModules=["in_proj"])
    code, message = factory.run()
    assert (code, "hypernetwork.targetModules names in_proj" in message["failure"]["message"]) == (65, True)


def test_weights_that_are_equalled_come_from_the_pair_s_own_adapter(factory):
    factory.asks_to_train(objective="Reconstruction", steps=30, batchSize=8)
    tensors = {}
    trajectories = []
    for number, line in enumerate(factory.lines):
        adapter = factory.directory / f"adapter-{number}"
        shapes = {f"model.layers.{layer}.mlp.down_proj": (48, 32) for layer in range(2)}
        torch.manual_seed(number % 2)
        tensors = {f"{adapter_io.PREFIX}{path}.lora_A.weight": torch.randn(4, i) for path, (i, _) in shapes.items()}
        tensors |= {f"{adapter_io.PREFIX}{path}.lora_B.weight": torch.randn(o, 4) for path, (_, o) in shapes.items()}
        base = parse_job(factory.document).base
        adapter_io.write(adapter, base, parse_shape(4, 4), tensors, shapes)
        layers = []
        for path in sorted(adapter.iterdir()):
            digest = f"sha256:{tiny.sha(path.read_bytes())}"
            factory.registry.blobs[digest] = path.read_bytes()
            layers.append(
                {
                    "digest": digest,
                    "size": path.stat().st_size,
                    "annotations": {"org.opencontainers.image.title": path.name},
                }
            )
        config = canonical({"base": {"name": "tiny", "digest": base.digest}, **parse_shape(4, 4).fields()})
        factory.registry.blobs[f"sha256:{tiny.sha(config)}"] = config
        manifest = factory.registry.add_manifest(
            {"artifactType": MEDIA["adapter"], "config": {"digest": f"sha256:{tiny.sha(config)}"}, "layers": layers}
        )
        digest = factory.registry.add_trajectory(line["trajectory"])
        trajectories.append(
            {
                "repository": "rune/demo/trajectories",
                "digest": digest,
                "adapter": {"repository": "rune/demo/adapters", "digest": manifest},
            }
        )
    factory.document["corpus"]["trajectories"] = trajectories
    code, message = factory.run()
    assert code == 0, message
    assert message["trainingLoss"] < 1
    assert load(factory.files(message["digest"])["hypernetwork.safetensors"])


def parse_shape(rank: int, alpha: int):
    from rune_trainer.settings import Shape

    return Shape(rank, alpha, ("down_proj",))
