"""AMX tiles.

Linux lets a process use them once it has requested it. oneDNN does so before its first tile; vLLM's attention doesn't,
so a model whose layers are all too small for oneDNN crashes its worker with an illegal instruction at the first
request.
"""

import torch


def register() -> None:
    """Requests them for this process and all its threads; has no effect on machines without tiles."""
    if torch.cpu._is_amx_tile_supported():
        torch.cpu._init_amx()
