"""Run in the trainer's image, or where torch and transformers are installed: `python -m pytest
examples/12-libraries/trial`.

A byte-level base of random weights learns nothing in three steps: these tests show that the parts work together, end to
end.
"""

import json
import pathlib
import sys

import pytest
import torch

HERE = pathlib.Path(__file__).resolve().parent
TRAINER = next(
    path for path in (pathlib.Path("/work/trainer"), HERE.parents[2] / "gpu-images/trainer") if path.is_dir()
)
sys.path[:0] = [str(HERE), str(HERE.parent / "world")]
sys.path += [str(TRAINER / "src"), str(TRAINER / "tests")]

import file_pieces  # noqa: E402
import make  # noqa: E402  # pyrefly: ignore [missing-import]  (of ../world, which sys.path names)
import run  # noqa: E402
import tiny  # noqa: E402
from measure import ARMS, Tally, interval, stacked  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments of a trial on eight libraries and two held-out ones."""
    folder = tmp_path_factory.mktemp("trial")
    make.make(folder / "data", 8, 2, make.SEED)
    tiny.model_directory(folder / "base")
    return ["--base", str(folder / "base"), "--data", str(folder / "data"), "--preset", "smoke"]


def report_of(given: list[str], out: pathlib.Path, *more: str) -> dict:
    assert run.main([*given, "--out", str(out), *more]) == 0
    return json.loads((out / "report.json").read_text())


def test_a_trial_trains_and_measures_every_arm_on_libraries_that_it_never_saw(given, tmp_path):
    report = report_of(given, tmp_path, "--keep")
    assert report["training"]["steps"] == len(report["training"]["losses"]) == 3
    assert report["corpus"]["libraries"] == 6  # two of eight are held out for the alarms
    for name, examples in (("newUses", 14), ("learntUses", 20)):
        found = report["heldOut"][name]
        assert (found["libraries"], found["examples"]) == (2, 2 * examples)
        assert tuple(found["arms"]) == ARMS
        nats = {arm: values["nats"][0] for arm, values in found["arms"].items()}
        assert min(nats.values()) > 0 and nats["context"] != nats["base"] != nats["right"]
    assert (tmp_path / "hypernetwork.safetensors").is_file()
    assert "Private libraries" in (tmp_path / "report.html").read_text()


def test_a_trial_ends_where_its_time_is_over_and_measures_what_there_is(given, tmp_path):
    report = report_of(given, tmp_path, "--minutes", "0", "--probes", "1")
    assert report["training"]["steps"] == 0 and "0 minutes was over" in report["training"]["ending"]
    arms = report["heldOut"]["newUses"]["arms"]
    assert arms["base"] == arms["right"] == arms["wrong"] == arms["mean"] != arms["context"]  # B begins at zero
    assert report["heldOut"]["newUses"]["libraries"] == 1


def test_a_corpus_that_is_too_small_is_refused_in_words(given, tmp_path, capsys):
    few = tmp_path / "few"
    make.make(few, 4, 2, make.SEED)
    assert run.main([*given, "--data", str(few), "--out", str(tmp_path)]) == 64
    assert "minimumPairs asks for 6" in capsys.readouterr().err


def test_an_exact_program_has_every_token_right():
    logits = torch.eye(4)[[0, 1, 2, 3, 0]] * 9
    tally = Tally()
    tally.add(logits, torch.tensor([0, 1, 2, 3, 1]), [2, 2, 1])
    assert (tally.exact, tally.examples, tally.tokens) == (2, 3, 5)
    assert tally.nats == pytest.approx(torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 1])).item())


def test_adapters_of_unlike_ranks_stand_together_with_zeros():
    one, two = ({"w": (torch.ones(1, rank, 3), torch.ones(1, rank, 2))} for rank in (2, 5))
    a, b = stacked([one, two])["w"]
    assert (a.shape, b.shape) == ((2, 5, 3), (2, 5, 2))
    assert torch.equal(b[0].T @ a[0], 2 * torch.ones(2, 3))


def test_an_interval_holds_its_mean_and_none_where_all_are_equal():
    mean, low, high = interval([0.0, 1.0, 2.0, 3.0])
    assert low < mean == 1.5 < high
    assert interval([2.0] * 5) == [2.0, 2.0, 2.0]


def test_pieces_make_the_folder_again_byte_for_byte(tmp_path):
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(range(256)) * 40)
    (folder / "inner/config.json").write_text("{}")
    (folder / "empty").write_bytes(b"")
    assert len(file_pieces.split(folder, tmp_path / "cut", 1000)) == 11
    file_pieces.join(tmp_path / "cut", tmp_path / "again")
    assert {p.relative_to(tmp_path / "again"): p.read_bytes() for p in file_pieces.files_of(tmp_path / "again")} == {
        p.relative_to(folder): p.read_bytes() for p in file_pieces.files_of(folder)
    }


def test_pieces_that_are_missing_or_changed_are_named_and_nothing_is_written(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_bytes(bytes(5000))
    cut = file_pieces.split(tmp_path / "model", tmp_path / "cut", 1000)
    cut[2].write_bytes(bytes(999) + b"x")
    with pytest.raises(SystemExit, match=r"piece-002 .* is not what was cut"):
        file_pieces.join(tmp_path / "cut", tmp_path / "again")
    cut[2].unlink()
    with pytest.raises(SystemExit, match=r"1 of 5 pieces are missing.*piece-002"):
        file_pieces.join(tmp_path / "cut", tmp_path / "again")
    assert not (tmp_path / "again").exists()
