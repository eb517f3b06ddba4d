"""A small corpus of projects, a job document for each method on it, and a training without a registry."""

from typing import Any

import tiny

from rune_trainer.alarms import Watch, weight_norms
from rune_trainer.contract import Hypernetwork as Settings
from rune_trainer.encoder import Encoder, Kept, activation_ratios
from rune_trainer.hyper_training import Training
from rune_trainer.hypernetwork import Hypernetwork
from rune_trainer.job import parse_job
from rune_trainer.lessons import Reader
from rune_trainer.model import PRECISIONS, linear_shapes
from rune_trainer.objectives import Asking
from rune_trainer.pairs import split_of
from rune_trainer.sources import Source
from rune_trainer.trajectory import Item

NAMES = ("pare", "hue", "weld", "mint", "fold", "gild", "knit", "lace", "oust", "ply")
SECTION = {
    "rank": 2, "targetModules": ["down_proj"], "width": 32, "blocks": 1, "heads": 2, "chunkTokens": 256, "maxChunks": 3, "steps": 6, "batchSize": 4,
    "examplesPerTrajectory": 2, "learningRate": "0.005", "maxLength": 512, "minimumPairs": 8, "holdoutPercent": 20, "precision": "Float32",
    "stop": {"afterPercent": 100, "cosineDiversityBelow": "0", "rightMinusWrongBelow": "-100"},
}  # fmt: skip


def trajectories(scoped: bool = True) -> list[dict[str, Any]]:
    """One per project, whose word is the answer."""
    made = [tiny.trajectory("it", [f"return {name}(x)"], [("return 1", f"no {name}")]) for name in NAMES]
    return [
        {
            **t,
            "session": {"namespace": "demo", "name": name, "uid": f"uid-{name}"},
            "scope": {"project": name} if scoped else {},
        }
        for t, name in zip(made, NAMES, strict=True)
    ]


def sources(scoped: bool = True) -> list[Source]:
    return [Source(Item(t)) for t in trajectories(scoped)]


def settings_of(**changed: Any) -> Settings:
    document = tiny.document(method="hypernetwork", hypernetwork={**SECTION, **changed})
    del document["sft"]
    settings = parse_job(document).hypernetwork
    assert settings
    return settings


def training_of(settings: Settings, given: list[Source] | None = None) -> Training:
    """As the method makes it, on the tiny base."""
    model, tokenizer, kept = tiny.model().to(PRECISIONS[settings.precision]), tiny.tokenizer(), Kept()
    split = split_of(given or sources(), ("Programs",), settings.holdout_percent, settings.seed)
    reader = Reader(tokenizer, settings)
    lessons, held_out = reader.lessons(split.training), reader.lessons(split.held_out, len(split.training))
    shapes = linear_shapes(model, settings.target_modules)
    encoder, asking = Encoder(model, kept), Asking(model, tokenizer, settings.objective, settings.top_k, True, kept)
    tiny.torch.manual_seed(settings.seed)
    network = Hypernetwork(encoder.features, shapes, settings)
    network.set_scales(activation_ratios(model, list(shapes), [lesson.text for lesson in lessons]))
    return Training(
        network, encoder, asking, lessons, settings, Watch(asking, encoder, held_out, weight_norms(model, list(shapes)))
    )
