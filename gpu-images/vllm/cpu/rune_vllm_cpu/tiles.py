"""AMX tiles.

Linux lets a process use them once it has asked. oneDNN asks before its first tile; vLLM's attention doesn't, so a model
whose layers are all too small for oneDNN ends its worker with an illegal instruction at the first request.
"""

import torch


def register() -> None:
    """Asks for this process and all its threads; where there are no tiles nothing uses them."""
    if torch.cpu._is_amx_tile_supported():
        torch.cpu._init_amx()
