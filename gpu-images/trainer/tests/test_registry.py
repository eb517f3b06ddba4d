from typing import Any

import pytest
import tiny

from rune_trainer.canonical import digest_of
from rune_trainer.contract import Exit
from rune_trainer.errors import Ending
from rune_trainer.registry import Repository


def repository(registry, token_file="/nowhere") -> Repository:
    return Repository(registry.url, str(token_file), "rune/demo/adapters", wait=lambda _: None)


def test_a_blob_is_sent_once(registry):
    for _ in range(2):
        repository(registry).push_blob("x", b"weights", "w")
    assert [m for m, _ in registry.requests] == ["HEAD", "POST", "PUT", "HEAD"]
    assert registry.blobs[digest_of(b"weights")] == b"weights"


def pulled(repository: Repository, reference: str) -> tuple[str, dict[str, Any]]:
    found = repository.pull_manifest(reference)
    assert found is not None
    return found


def test_a_manifest_is_stored_by_digest_and_tag_with_its_layers_sorted(registry):
    r = repository(registry)
    layers = [r.push_blob("x", b"2", "b"), r.push_blob("x", b"1", "a")]
    digest = r.push_manifest("type", r.push_blob("type", b"{}"), layers, {}, "run-1").digest
    found, manifest = pulled(r, "run-1")
    assert (found, [layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]]) == (
        digest,
        ["a", "b"],
    )
    assert pulled(r, digest)[0] == digest


def test_bytes_that_are_not_what_their_digest_says_are_not_used(registry):
    digest = registry.add_trajectory(tiny.trajectory("a", ["return x"]))
    registry.blobs = dict.fromkeys(registry.blobs, b"other")
    with pytest.raises(Ending) as ended:
        repository(registry).pull_layer(digest)
    assert (ended.value.code, ended.value.reason) == (Exit.DATA_ERROR, "DigestMismatch")


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
    assert ended.value.code == Exit.UNAVAILABLE


def test_the_token_is_read_anew_for_every_request(registry, tmp_path):
    registry.token, token = "second", tmp_path / "token"
    token.write_text("first")
    r = repository(registry, token)
    with pytest.raises(Ending) as ended:
        r.push_blob("x", b"weights")
    assert ended.value.code == Exit.MISCONFIGURED
    token.write_text("second\n")
    r.push_blob("x", b"weights")


def test_a_file_is_sent_and_fetched_without_being_whole_in_memory(registry, tmp_path):
    sent, fetched = tmp_path / "sent", tmp_path / "fetched"
    sent.write_bytes(b"weights" * 1000)
    r = repository(registry)
    blob = r.push_file("x", sent, "sent")
    assert (blob.digest, blob.size) == (digest_of(sent.read_bytes()), 7000)
    r.pull_file(blob.digest, fetched)
    assert fetched.read_bytes() == sent.read_bytes()


@pytest.mark.parametrize(("stored", "reason"), [({digest_of(b"a"): b"b"}, "DigestMismatch"), ({}, "ArtifactMissing")])
def test_a_file_that_is_not_what_its_digest_says_is_not_there(registry, tmp_path, stored, reason):
    registry.blobs = stored
    with pytest.raises(Ending) as ended:
        repository(registry).pull_file(digest_of(b"a"), tmp_path / "file")
    assert (ended.value.reason, list(tmp_path.iterdir())) == (reason, [])


def test_a_busy_registry_gets_the_whole_file_again(registry, tmp_path):
    (tmp_path / "f").write_bytes(b"weights")
    registry.failures = 2
    assert repository(registry).push_file("x", tmp_path / "f", "f").digest in registry.blobs


def test_an_index_is_stored_with_its_manifests_in_their_order(registry):
    r = repository(registry)
    config = r.push_blob("type", b"{}")
    manifests = [r.push_manifest("type", config, [], {"n": n}) for n in "ba"]
    index = r.push_index("types", manifests, {}, "run-1")
    digest, found = pulled(r, "run-1")
    assert (digest, found["mediaType"]) == (index.digest, "application/vnd.oci.image.index.v1+json")
    assert [m["digest"] for m in found["manifests"]] == [m.digest for m in manifests]
    assert {m["artifactType"] for m in found["manifests"]} == {"type"}
