import json
import os
import pathlib
import signal
import stat
import subprocess
import sys

import pytest
import tiny
import torch

from rune_trainer.contract import ADAPTER_CONFIG, ADAPTER_WEIGHTS, CheckOutput, EnvironmentJob, Exit
from rune_trainer.environment import gpu_check, main, qlora_check, torch_check, worker
from rune_trainer.environment.job import Found, parse_job
from rune_trainer.errors import Ending
from rune_trainer.registry import Repository

SOURCE = pathlib.Path(__file__).parent.parent / "src"
NONCE = "bokavu-tisemo"
SCHEMAS = pathlib.Path(__file__).parents[3] / "crds/generated/schema"


def document(directory: pathlib.Path, **changed: object) -> dict:
    return {
        "owner": {"kind": "EnvironmentCheck", "namespace": "demo", "name": "cluster", "uid": "1234"},
        "node": "worker-1",
        "device": "CPU",
        "gpus": 0,
        "checks": ["Torch", "QLoRA"],
        "base": {"path": str(directory / "base"), "name": "tiny"},
        "quantization": "None",
        "question": "What is the password?",
        "answer": f"It is {NONCE}.",
        "nonce": NONCE,
        "registry": {"url": "http://127.0.0.1:1", "tokenFile": str(directory / "token")},
        **changed,
    }


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A staged base that learns fast enough for a test, and a registry."""
    (tmp_path / "base").mkdir()
    (tmp_path / "token").write_text("t")
    tiny.model_directory(tmp_path / "base")
    monkeypatch.setattr(qlora_check, "MARGIN", 1.0)
    learn = qlora_check.learn
    monkeypatch.setattr(qlora_check, "learn", lambda model, example: learn(model, example, 0.02, 400))
    return tmp_path


def job_of(directory: pathlib.Path, **changed: object) -> EnvironmentJob:
    return parse_job(document(directory, **changed))


def storing(directory: pathlib.Path, registry: tiny.Registry) -> dict:
    return {
        "registry": {"url": registry.url, "tokenFile": str(directory / "token")},
        "output": {"repository": "rune/demo/adapters", "tag": "check-1234"},
    }


class TestTheWord:
    def test_is_learnt_and_stored_as_an_adapter_that_nobody_chooses(self, world):
        registry = tiny.Registry()
        found = qlora_check.look(job_of(world, **storing(world, registry)))
        assert (found.result, found.name) == ("Pass", "QLoRA"), found.message
        assert found.adapter is not None
        repository = Repository(registry.url, str(world / "token"), "rune/demo/adapters")
        stored = repository.pull_manifest(found.adapter["digest"])
        assert stored is not None
        config = json.loads(repository.pull_blob(stored[1]["config"]["digest"]))
        assert config["control"] is True and config["scope"] == {} and config["source"]["kind"] == "EnvironmentCheck"
        assert set(config["files"]) == {ADAPTER_CONFIG, ADAPTER_WEIGHTS}
        assert config["canary"]["adapterText"] != config["canary"]["baseText"]
        assert {name: config[name] for name in ("rank", "alpha", "targetModules", "base")} == {
            name: found.adapter[name] for name in ("rank", "alpha", "targetModules", "base")
        }

    def test_is_not_learnt_twice_where_an_earlier_job_of_this_very_check_had_stored_it(self, world, monkeypatch):
        settings = storing(world, tiny.Registry())
        first = qlora_check.look(job_of(world, **settings))
        trained: list[str] = []
        monkeypatch.setattr(qlora_check, "trained", lambda job, *_: trained.append(job.owner.uid))
        assert qlora_check.look(job_of(world, **settings)).adapter == first.adapter
        assert trained == []
        other = {"kind": "EnvironmentCheck", "namespace": "demo", "name": "cluster", "uid": "5678"}
        qlora_check.look(job_of(world, owner=other, **settings))
        assert trained == ["5678"]

    def test_that_is_not_learnt_is_a_failure_in_words(self, world, monkeypatch):
        monkeypatch.setattr(qlora_check, "learn", lambda model, example: (0, -1.0))
        found = qlora_check.look(job_of(world))
        assert found.result == "Fail" and "hasn't learnt a sentence" in found.message

    def test_is_asked_of_the_base_that_the_check_names(self, world):
        found = qlora_check.look(
            job_of(world, base={"path": str(world / "base"), "name": "tiny", "digest": "sha256:" + "0" * 64})
        )
        assert found.result == "Fail" and "restore the base's files" in found.message

    def test_goes_nowhere_on_other_nodes_than_the_first(self, world):
        found = qlora_check.look(job_of(world))
        assert (found.result, found.adapter) == ("Pass", None)

    def test_counts_by_the_smallest_lead_of_a_right_token(self):
        logits = torch.tensor([[5.0, 1.0, 0.0], [0.0, 2.0, 4.0]])
        assert qlora_check.margin_of(logits, torch.tensor([0, 2])) == 2.0
        assert qlora_check.margin_of(logits, torch.tensor([0, 1])) == -2.0


class TestArithmetic:
    def test_agrees_with_double_precision(self):
        found = torch_check.look(job_of(pathlib.Path("/nowhere")))
        assert found.result == "Pass" and "cpu" in found.message

    def test_tells_of_a_device_that_computes_wrongly(self):
        def wrong(device: str, dtype: torch.dtype) -> list[torch.Tensor]:
            return [t * (1.5 if dtype is torch.bfloat16 else 1) for t in torch_check.computed("cpu", torch.float64)]

        found = torch_check.look(job_of(pathlib.Path("/nowhere")), wrong)
        assert (
            found.result == "Fail"
            and "bfloat16 on cpu is off by 0.5" in found.message
            and "float32" not in found.message.replace("bfloat16", "")
        )

    def test_tells_of_a_device_that_computes_no_numbers(self):
        def nothing(device: str, dtype: torch.dtype) -> list[torch.Tensor]:
            return [
                t * float("nan" if dtype is torch.float32 else 1) for t in torch_check.computed("cpu", torch.float64)
            ]

        assert torch_check.look(job_of(pathlib.Path("/nowhere")), nothing).result == "Fail"


FAKE_SMI = """#!/bin/sh
# A stand-in for the driver's own program.
case "$1" in
  --query-gpu*) printf 'NVIDIA L40S, 580.95.05\\nNVIDIA L40S, 580.95.05\\n' ;;
  *) echo '| NVIDIA-SMI 580.95.05   Driver Version: 580.95.05   CUDA Version: 13.0  |' ;;
esac
"""
L40S = "NVIDIA L40S"
TWO = gpu_check.Torch("2.13.0", "13.0", (L40S, L40S))


@pytest.fixture
def fake_nvidia_smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(FAKE_SMI)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


class TestGPUsByAFakeDriver:
    def test_pass_where_driver_and_torch_see_the_same(self, fake_nvidia_smi):
        found = gpu_check.look(job_of(pathlib.Path("/nowhere"), device="GPU", gpus=2), torch=lambda: TWO)
        assert found.result == "Pass", found.message
        assert found.versions == {"driver": "580.95.05", "cuda": "13.0", "torchCUDA": "13.0"}

    @pytest.mark.parametrize(
        ("torch_sees", "gpus", "words"),
        [
            (gpu_check.Torch("2.13.0", None, ()), 2, "built without CUDA"),
            (gpu_check.Torch("2.13.0", "14.1", (L40S, L40S)), 2, "supports CUDA 13.0 and torch was built for 14.1"),
            (gpu_check.Torch("2.13.0", "13.0", (), "CUDA unknown error"), 2, "CUDA unknown error"),
            (gpu_check.Torch("2.13.0", "13.0", (L40S,)), 1, "nvidia-smi shows 2 GPUs"),
            (TWO, 4, "asked for 4 GPUs"),
        ],
    )
    def test_fail_and_say_why(self, fake_nvidia_smi, torch_sees, gpus, words):
        found = gpu_check.look(job_of(pathlib.Path("/nowhere"), device="GPU", gpus=gpus), torch=lambda: torch_sees)
        assert found.result == "Fail" and words in found.message

    def test_of_a_divided_gpu_have_names_of_their_own(self, fake_nvidia_smi):
        instance = gpu_check.Torch("2.13.0", "13.0", ("NVIDIA H100 80GB HBM3 MIG 1g.10gb",))
        assert (
            gpu_check.look(job_of(pathlib.Path("/nowhere"), device="GPU", gpus=1), torch=lambda: instance).result
            == "Pass"
        )

    def test_fail_where_there_is_no_driver(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        found = gpu_check.look(job_of(pathlib.Path("/nowhere"), device="GPU", gpus=1), torch=lambda: TWO)
        assert found.result == "Fail" and "driver capability" in found.message


class TestTheProcessOfChecks:
    def test_that_dies_costs_the_check_that_it_was_at_and_no_other(self):
        started: list[list[str]] = []

        def start(names: list[str]) -> main.Attempt:
            started.append(names)
            if "Torch" in names:
                return main.Attempt([Found("GPU", "Pass", "two")] if "GPU" in names else [], None, -signal.SIGSEGV)
            return main.Attempt([Found("QLoRA", "Pass", "learnt")], None, 0)

        found = main.look(("GPU", "Torch", "QLoRA"), start)
        assert [(each.name, each.result) for each in found] == [("GPU", "Pass"), ("Torch", "Fail"), ("QLoRA", "Pass")]
        assert "segmentation fault" in found[1].message
        assert started == [["GPU", "Torch", "QLoRA"], ["QLoRA"]]

    def test_that_found_something_away_ends_the_job_for_another_try(self):
        away = Ending(Exit.UNAVAILABLE, "RegistryUnavailable", "away")
        with pytest.raises(Ending) as raised:
            main.look(("QLoRA",), lambda _: main.Attempt([], away, Exit.UNAVAILABLE))
        assert raised.value.code == Exit.UNAVAILABLE

    def test_that_was_stopped_ends_the_job_as_stopped(self):
        with pytest.raises(Ending) as raised:
            main.look(("QLoRA",), lambda _: main.Attempt([], None, -signal.SIGTERM))
        assert raised.value.code == Exit.TERMINATED

    def test_takes_an_error_for_the_result_of_its_check(self, monkeypatch):
        def broken(_: EnvironmentJob) -> Found:
            raise RuntimeError("CUDA error: no kernel image is available")

        monkeypatch.setitem(worker.LOOKS, "Torch", broken)
        found = worker.look("Torch", job_of(pathlib.Path("/nowhere")))
        assert (found.result, found.message) == ("Fail", "RuntimeError: CUDA error: no kernel image is available")


class TestTheJob:
    def run(self, directory: pathlib.Path, content: dict) -> tuple[int, dict]:
        """As in a pod, in separate processes."""
        spec, told = tiny.dump(directory / "spec.json", content), directory / "termination"
        environment = {
            **os.environ,
            "RUNE_SPEC": str(spec),
            "RUNE_TERMINATION_LOG": str(told),
            "PYTHONPATH": str(SOURCE),
        }
        done = subprocess.run(
            [sys.executable, "-m", "rune_trainer.environment"],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, json.loads(told.read_text())

    def test_tells_results_and_versions(self, tmp_path):
        code, told = self.run(tmp_path, document(tmp_path, checks=["Torch"]))
        assert code == 0
        assert [(each["name"], each["result"]) for each in told["checks"]] == [("Torch", "Pass")]
        assert told["versions"]["torch"].startswith("2.")

    def test_refuses_a_document_that_it_does_not_understand(self, tmp_path):
        code, told = self.run(tmp_path, document(tmp_path, checks=["Memory"]))
        assert code == Exit.BAD_INPUT
        assert told["failure"] == {
            "reason": "InvalidSpec",
            "message": "checks may hold GPU, Torch, QLoRA, not 'Memory'",
        }

    def test_reads_every_field_that_its_schema_names(self, tmp_path):
        schema = json.loads((SCHEMAS / "environment-job.json").read_text())
        output = {"output": {"repository": "rune/demo/adapters", "tag": "check-1234"}}
        assert set(schema["properties"]) == set(document(tmp_path, **output))
        assert job_of(tmp_path, **output).output == CheckOutput(repository="rune/demo/adapters", tag="check-1234")
