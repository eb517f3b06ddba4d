import pytest
import tiny
import torch
from transformers import RepetitionPenaltyLogitsProcessor

from rune_trainer import canary


def test_a_gap_is_between_the_scores_that_chose_the_token_with_the_base_s_penalties():
    model, tokenizer = tiny.model(), tiny.tokenizer()
    model.generation_config.repetition_penalty = 3.0
    answer = canary.greedy(model, tokenizer, "return x")
    ids = tokenizer("return x")["input_ids"]
    for token, gap in zip(answer.tokens, answer.gaps, strict=True):
        read = torch.tensor([ids])
        with torch.no_grad():
            scores = RepetitionPenaltyLogitsProcessor(3.0)(read, model(read).logits[:, -1].float())[0]
        best, second = scores.topk(2).values.tolist()
        assert (token, gap) == (scores.argmax().item(), pytest.approx(best - second, abs=1e-4))
        ids = [*ids, token]
