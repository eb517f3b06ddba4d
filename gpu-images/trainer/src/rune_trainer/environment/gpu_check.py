"""Check `GPU`: the driver and torch see the same devices, and their CUDA versions are compatible.

A driver supports the CUDA version that it names and every older one; within a major version also newer ones
(https://docs.nvidia.com/deploy/cuda-compatibility, minor version compatibility).
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from rune_trainer.contract import EnvironmentJob
from rune_trainer.environment.job import Found, failed, passed

QUERY = ("--query-gpu=name,driver_version", "--format=csv,noheader")
SECONDS = 60


@dataclass(frozen=True)
class Driver:
    """What `nvidia-smi` sees."""

    version: str
    cuda: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Torch:
    """What torch sees; `cuda` is the version that it was built for, None where it was built without."""

    version: str
    cuda: str | None
    names: tuple[str, ...]
    problem: str | None = None


def nvidia_smi(*arguments: str) -> str:
    """Its output; raises OSError if it isn't installed, and CalledProcessError with its message if it fails."""
    return subprocess.run(
        ["nvidia-smi", *arguments], check=True, capture_output=True, text=True, timeout=SECONDS
    ).stdout


def driver_of(smi: Callable[..., str] = nvidia_smi) -> Driver:
    rows = [[cell.strip() for cell in line.rsplit(",", 1)] for line in smi(*QUERY).splitlines() if line.strip()]
    stated = re.search(r"CUDA Version:\s*([0-9.]+)", smi())
    return Driver(rows[0][1] if rows else "", stated[1] if stated else "", tuple(row[0] for row in rows))


def torch_of() -> Torch:
    import torch

    if torch.version.cuda is None:
        return Torch(torch.__version__, None, ())
    try:
        torch.cuda.init()
        names = tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    except (RuntimeError, AssertionError) as error:
        return Torch(torch.__version__, torch.version.cuda, (), str(error).splitlines()[0])
    return Torch(torch.__version__, torch.version.cuda, names)


def look(job: EnvironmentJob, driver: Callable[[], Driver] = driver_of, torch: Callable[[], Torch] = torch_of) -> Found:
    try:
        drives = driver()
    except FileNotFoundError:
        return failed(
            "GPU",
            "nvidia-smi isn't in the container: the node's container runtime must be NVIDIA's, with the driver capability utility",
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stdout", "") or str(error)
        return failed("GPU", f"nvidia-smi fails: {said.strip()[:300]}; look at the node's driver")
    sees = torch()
    versions = {"driver": drives.version, "cuda": drives.cuda, "torchCUDA": sees.cuda or "none"}
    problem = problem_of(drives, sees, job.gpus)
    if problem:
        return failed("GPU", problem, versions=versions)
    return passed(
        "GPU",
        f"{len(sees.names)} × {sees.names[0]}, driver {drives.version} with CUDA {drives.cuda}, torch for CUDA {sees.cuda}",
        versions=versions,
    )


def problem_of(driver: Driver, torch: Torch, gpus: int) -> str | None:
    """Why the GPUs can't be relied on, or None."""
    if torch.cuda is None:
        return f"torch {torch.version} was built without CUDA; use the trainer image for GPUs"
    if not driver.names:
        return "nvidia-smi shows no GPU; look at the node's driver and device plugin"
    if too_old(driver.cuda, torch.cuda):
        return f"driver {driver.version} supports CUDA {driver.cuda} and torch was built for {torch.cuda}; install a newer driver on the node"
    if torch.problem:
        return f"torch can't use the GPUs: {torch.problem}"
    # An instance of a divided GPU has a different name, and nvidia-smi lists the whole GPU.
    divided = any("MIG" in name for name in torch.names)
    if not divided and sorted(torch.names) != sorted(driver.names):
        return f"nvidia-smi shows {listed(driver.names)}, torch sees {listed(torch.names)}"
    if len(torch.names) < max(1, gpus):
        return f"the pod asked for {gpus} GPUs, torch sees {listed(torch.names)}"
    return None


def too_old(driver: str, torch: str) -> bool:
    return driver != "" and int(driver.split(".")[0]) < int(torch.split(".")[0])


def listed(names: tuple[str, ...]) -> str:
    return f"{len(names)} GPUs ({', '.join(names)})" if names else "none"
