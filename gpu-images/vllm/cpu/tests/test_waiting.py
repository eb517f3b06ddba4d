from types import SimpleNamespace

import pytest

from rune_vllm_cpu.waiting import block_between_stages, look_again_soon, sleep_at_once


def test_readers_do_not_spin():
    class Condition:
        def __init__(self, is_reader, busy_loop_s=1):
            self.is_reader, self.busy_loop_s = is_reader, busy_loop_s

    sleep_at_once(Condition)
    once = Condition.__init__
    sleep_at_once(Condition)
    assert Condition.__init__ is once
    reader = Condition(is_reader=True)
    assert (reader.is_reader, reader.busy_loop_s) == (True, 0)


def test_a_lost_notification_costs_milliseconds():
    queues = SimpleNamespace(SHM_READER_RECHECK_INTERVAL_MS=5000)
    look_again_soon(queues)
    assert queues.SHM_READER_RECHECK_INTERVAL_MS == 5


def test_a_vllm_that_names_it_otherwise_is_not_started():
    with pytest.raises(AttributeError):
        look_again_soon(SimpleNamespace())


@pytest.mark.parametrize(("name", "through_shared_memory"), [("pp:0", False), ("tp:0", True)])
def test_only_pipeline_groups_leave_shared_memory(name, through_shared_memory):
    class Communicator:
        unique_name = name

        def _all_group_ranks_share_shm_group_name(self):
            return True

    block_between_stages(Communicator)
    once = Communicator._all_group_ranks_share_shm_group_name
    block_between_stages(Communicator)
    assert Communicator._all_group_ranks_share_shm_group_name is once
    assert Communicator()._all_group_ranks_share_shm_group_name() is through_shared_memory
