#!/bin/sh
# torch for CPUs from PyPI's CUDA build: its CUDA libraries are never downloaded, and slim.py writes stubs for them.
set -eu
cd "$(dirname "$0")"
export UV_LINK_MODE=copy DEBIAN_FRONTEND=noninteractive
# torchvision and torchaudio are for the engine; slim.py must see everything built against torch's CUDA library.
python3 -m uv pip install --quiet --system --break-system-packages --overrides overrides.txt -c constraints.txt \
  torch torchvision torchaudio transformers tokenizers accelerate safetensors numpy nvidia-cuda-runtime
python3 -m uv pip install --quiet --target /tmp/tools pyelftools
apt-get update -qq
# libnuma is for the engine.
apt-get install -y -qq --no-install-recommends libnuma1 binutils >/dev/null
PYTHONPATH=/tmp/tools python3 slim.py "$(python3 -m uv pip show --system torch 2>/dev/null | sed -n 's/^Location: //p')"
python3 -c 'import torch, torchvision; assert not torch.cuda.is_available(); torch.ones(2, 2, requires_grad=True).sum().backward()'
apt-get purge -y -qq --auto-remove binutils >/dev/null
rm -rf /tmp/tools /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
