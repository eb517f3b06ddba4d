from types import SimpleNamespace

from rune_vllm_cpu.pipeline import make_when_missing


def runner_class():
    class Runner:
        max_num_tokens, device = 7, "cpu"
        model_config = SimpleNamespace(dtype="bf16")
        intermediate_tensors = None

        def __init__(self):
            self.made = 0
            self.model = SimpleNamespace(make_empty_intermediate_tensors=self.make)

        def make(self, batch_size, dtype, device):
            self.made += 1
            return (batch_size, dtype, device)

        def sync_and_gather_intermediate_tensors(self, argument):
            return self.intermediate_tensors, argument

    return Runner


def test_the_buffer_is_made_once_at_the_first_request():
    kind = runner_class()
    make_when_missing(kind)
    runner = kind()
    for _ in range(2):
        assert runner.sync_and_gather_intermediate_tensors(1) == ((7, "bf16", "cpu"), 1)
    assert runner.made == 1


def test_registering_the_plugin_twice_wraps_once():
    kind = runner_class()
    make_when_missing(kind)
    once = kind.sync_and_gather_intermediate_tensors
    make_when_missing(kind)
    assert kind.sync_and_gather_intermediate_tensors is once
