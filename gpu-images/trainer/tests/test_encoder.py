import hyper_world
import pytest
import tiny
import torch

from rune_trainer.encoder import Encoder, Kept, activation_ratios, text_of
from rune_trainer.functional import applied, by_trajectory, joined
from rune_trainer.hyper_training import step_loss

LONG = tiny.trajectory(
    "long", [f"return {name}(x)" for name in hyper_world.NAMES], [("return 1", "wrong"), ("return 2", "wrong")]
)


def test_a_long_trajectory_is_read_in_pieces_of_nearly_one_length_that_are_its_whole_text():
    text = text_of(tiny.tokenizer(), LONG, 100, 63)
    lengths = [len(chunk) for chunk in text.chunks]
    assert len(lengths) > 5 and max(lengths) <= 100 and max(lengths) - min(lengths) <= 1
    assert tiny.tokenizer().decode([t for chunk in text.chunks for t in chunk]) == text.text
    assert text.left_out == 0


def test_what_is_beyond_the_pieces_is_left_out_oldest_failures_first_and_counted():
    text = text_of(tiny.tokenizer(), LONG, 100, 3)
    assert len(text.chunks) == 3
    assert text.left_out > 2
    assert "wrong" not in text.text and "return ply(x)" in text.text and text.text.startswith("Task: ")


def test_a_single_attempt_that_is_too_long_is_cut_at_its_beginning_for_encoder_and_teacher_alike():
    endless = tiny.trajectory("long", [f"return {'+'.join('x' * 500)}(end)"])
    text = text_of(tiny.tokenizer(), endless, 100, 3)
    assert tiny.tokenizer().decode([t for chunk in text.chunks for t in chunk]) == text.text
    assert (len(tiny.tokenizer()(text.text)["input_ids"]), text.text.endswith("Passed")) == (300, True)


def test_a_text_is_the_same_numbers_in_every_batch_whether_it_was_kept_or_not():
    texts = [text_of(tiny.tokenizer(), t, 100, 3) for t in (LONG, *hyper_world.trajectories()[:2])]
    encoder = Encoder(tiny.model())
    features, mask, counts = encoder.batch(texts)
    again, _, _ = encoder.batch(texts)
    assert torch.equal(features, again)
    assert counts == [len(text.chunks) for text in texts]
    alone, _, _ = Encoder(tiny.model(), Kept(0)).batch(texts[2:])
    row = sum(counts[:2])
    assert torch.equal(
        features[row : row + counts[2]][mask[row : row + counts[2]]],
        alone.flatten(0, 1)[: int(mask[row : row + counts[2]].sum())],
    )


def test_chunks_are_read_apart_and_their_pairs_are_one_adapter():
    training = hyper_world.training_of(hyper_world.settings_of(chunkTokens=64, maxChunks=6))
    texts = [lesson.text for lesson in training.lessons[:2]]
    features, mask, counts = training.encoder.batch(texts)
    assert all(count > 1 for count in counts)
    with torch.no_grad():
        for head in training.network.heads:
            head.scale_b.fill_(0.5)
        each = training.network(features, mask)
        ids = torch.arange(20)[None]
        first = {path: (a[: counts[0]], b[: counts[0]]) for path, (a, b) in each.items()}
        with applied(training.asking.model, by_trajectory(first, counts[:1])):
            together = training.asking.model(input_ids=ids).logits
        apart = joined(
            [{path: (a[n : n + 1], b[n : n + 1]) for path, (a, b) in first.items()} for n in range(counts[0])]
        )
        with applied(training.asking.model, apart):
            torch.testing.assert_close(together, training.asking.model(input_ids=ids).logits, rtol=1e-4, atol=1e-5)
    assert step_loss(training, [(lesson, 0) for lesson in training.lessons[:2]]) > 0


def test_no_more_is_kept_than_there_is_room_for():
    kept, asked = Kept(10), []

    def value(name: str) -> str:
        return kept.get(name, lambda: asked.append(name) or name, len)

    for name in ("seven..", "four", "two", "seven..", "four"):
        value(name)
    assert asked == ["seven..", "four", "two", "four"]


def test_a_layer_s_ratio_is_its_output_s_size_by_its_input_s():
    model = tiny.model()
    layer = model.model.layers[1].mlp.down_proj
    texts = [text_of(tiny.tokenizer(), LONG, 100, 3)]
    before = activation_ratios(model, ["model.layers.1.mlp.down_proj"], texts)["model.layers.1.mlp.down_proj"]
    with torch.no_grad():
        layer.weight.mul_(3)
    assert activation_ratios(model, ["model.layers.1.mlp.down_proj"], texts)[
        "model.layers.1.mlp.down_proj"
    ] == pytest.approx(3 * before, rel=1e-4)
