#!/bin/sh
# install.sh cpu|cuda: the trainer and what it needs beside torch. Versions are pinned in requirements.txt.
set -eu
cd "$(dirname "$0")"
case "$1" in
  cpu) overrides=/opt/torch-cpu/overrides.txt ;;
  cuda) overrides=/dev/null ;;
  *) echo "VARIANT must be cpu or cuda, not $1" >&2; exit 64 ;;
esac
python3 -m uv --version >/dev/null 2>&1 || python3 -m pip install --no-cache-dir --break-system-packages --quiet uv
export UV_LINK_MODE=copy
python3 -m uv pip install --quiet --system --break-system-packages --overrides "$overrides" -r requirements.txt
python3 -m uv pip install --quiet --system --break-system-packages --no-deps .
python3 -c 'import rune_trainer.main, peft, bitsandbytes'
rm -rf build tests ./*.egg-info
