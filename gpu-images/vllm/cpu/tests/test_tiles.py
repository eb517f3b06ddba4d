import ctypes

import pytest
import torch

from rune_vllm_cpu import tiles

ARCH_PRCTL, GET_PERMISSIONS, TILE_DATA = 158, 0x1022, 1 << 18
"""x86-64's system call, ARCH_GET_XCOMP_PERM, and the bit of tiles' content in its answer (Linux, Documentation/arch/x86/xstate.rst)."""


def permissions() -> int:
    found = ctypes.c_uint64()
    assert ctypes.CDLL(None).syscall(ARCH_PRCTL, GET_PERMISSIONS, ctypes.byref(found)) == 0
    return found.value


def test_it_asks_where_there_are_tiles_and_nowhere_else(monkeypatch: pytest.MonkeyPatch):
    asked: list[bool] = []
    monkeypatch.setattr(torch.cpu, "_init_amx", lambda: asked.append(True))
    for supported in (False, True):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda supported=supported: supported)
        tiles.register()
    assert asked == [True]


def test_afterwards_this_process_may_use_what_this_machine_has():
    tiles.register()
    has_tiles = torch.cpu._is_amx_tile_supported()
    assert bool(permissions() & TILE_DATA) == has_tiles
