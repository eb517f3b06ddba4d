import pytest
import tiny

from rune_trainer.canonical import digest_of
from rune_trainer.errors import DATA_ERROR, MISCONFIGURED, UNAVAILABLE, Ending
from rune_trainer.registry import Repository


@pytest.fixture
def registry():
    made = tiny.Registry()
    yield made
    made.close()


def repository(registry, token_file="/nowhere") -> Repository:
    return Repository(registry.url, str(token_file), "rune/demo/adapters", wait=lambda _: None)


def test_a_blob_is_sent_once(registry):
    for _ in range(2):
        repository(registry).push_blob("x", b"weights", "w")
    assert [m for m, _ in registry.requests] == ["HEAD", "POST", "PUT", "HEAD"]
    assert registry.blobs[digest_of(b"weights")] == b"weights"


def test_a_manifest_is_stored_by_digest_and_tag_with_its_layers_sorted(registry):
    r = repository(registry)
    layers = [r.push_blob("x", b"2", "b"), r.push_blob("x", b"1", "a")]
    digest = r.push_manifest("type", r.push_blob("type", b"{}"), layers, {}, "run-1")
    found, manifest = r.pull_manifest("run-1")
    assert (found, [layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]]) == (digest, ["a", "b"])
    assert r.pull_manifest(digest)[0] == digest


def test_bytes_that_are_not_what_their_digest_says_are_not_used(registry):
    digest = registry.add_trajectory(tiny.trajectory("a", ["return x"]))
    registry.blobs = {name: b"other" for name in registry.blobs}
    with pytest.raises(Ending) as ended:
        repository(registry).pull_layer(digest)
    assert (ended.value.code, ended.value.reason) == (DATA_ERROR, "DigestMismatch")


def test_a_missing_artifact_is_not_asked_for_again(registry):
    with pytest.raises(Ending) as ended:
        repository(registry).pull_layer("sha256:" + "1" * 64)
    assert ended.value.reason == "ArtifactMissing"
    assert len(registry.requests) == 1


def test_a_registry_that_is_busy_is_asked_again(registry):
    registry.failures = 3
    repository(registry).push_blob("x", b"weights")
    assert digest_of(b"weights") in registry.blobs


def test_a_registry_that_stays_away_makes_the_run_worth_another_try(registry):
    registry.failures = 99
    with pytest.raises(Ending) as ended:
        repository(registry).push_blob("x", b"weights")
    assert ended.value.code == UNAVAILABLE


def test_the_token_is_read_anew_for_every_request(registry, tmp_path):
    registry.token, token = "second", tmp_path / "token"
    token.write_text("first")
    r = repository(registry, token)
    with pytest.raises(Ending) as ended:
        r.push_blob("x", b"weights")
    assert ended.value.code == MISCONFIGURED
    token.write_text("second\n")
    r.push_blob("x", b"weights")
