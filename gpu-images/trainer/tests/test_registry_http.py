"""Uploads and downloads as the distribution specification allows them, against servers on two origins of loopback."""

import pytest
from origins import Answer, Origin, status

from rune_trainer.canonical import digest_of
from rune_trainer.contract import Exit
from rune_trainer.errors import Ending
from rune_trainer.registry import Descriptor, Repository
from rune_trainer.registry_http import origin_of, resolved

WEIGHTS = b"weights"
DIGEST = digest_of(WEIGHTS)
MISSING = status(404)
CREATED = status(201)


@pytest.fixture
def origin():
    made = list[Origin]()

    def start(*answers) -> Origin:
        made.append(Origin(*answers))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "token").write_text("secret")
    waits = list[float]()

    def at(url: str) -> Repository:
        return Repository(url, str(tmp_path / "token"), "rune/demo/adapters", wait=waits.append)

    at.waits = waits  # pyrefly: ignore [missing-attribute]  (for tests of the waiting time)
    return at


def session(location: str = "/upload/1?state=x") -> Answer:
    return status(202, Location=location)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_blob_that_is_kept_on_another_host_is_fetched_there_without_the_token(origin, repository, code):
    store = origin(status(200, WEIGHTS))
    registry = origin(status(code, Location=f"{store.url}/blob?signature=1"))
    assert repository(registry.url).pull_blob(DIGEST) == WEIGHTS
    assert [(seen.method, seen.path, seen.authorization) for seen in store.seen] == [("GET", "/blob?signature=1", None)]
    assert registry.seen[0].authorization == "Bearer secret"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_head_stays_a_head_when_it_is_redirected(origin, repository, code):
    registry = origin(status(code, Location="/elsewhere"), status(200))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert [(seen.method, seen.authorization) for seen in registry.seen] == [("HEAD", "Bearer secret")] * 2


def test_an_upload_goes_where_the_registry_says_without_the_token(origin, repository):
    store = origin(CREATED)
    registry = origin(MISSING, session(f"{store.url}/put/here?signature=1"))
    repository(registry.url).push_blob("x", WEIGHTS)
    (put,) = store.seen
    assert (put.method, put.authorization, put.body) == ("PUT", None, WEIGHTS)
    assert put.path == f"/put/here?signature=1&digest={DIGEST.replace(':', '%3A')}"


@pytest.mark.parametrize("code", [307, 308])
def test_an_upload_keeps_its_method_and_its_bytes_when_it_is_redirected(origin, repository, code):
    store = origin(CREATED)
    registry = origin(MISSING, session(), status(code, Location=f"{store.url}/put"))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert [(seen.method, seen.body, seen.authorization) for seen in store.seen] == [("PUT", WEIGHTS, None)]


def test_an_upload_that_a_redirect_would_turn_into_a_get_is_told(origin, repository):
    registry = origin(MISSING, status(302, Location="/login"))
    with pytest.raises(Ending, match="302") as ended:
        repository(registry.url).push_blob("x", WEIGHTS)
    assert ended.value.code == Exit.UNAVAILABLE
    assert registry.asked == ["HEAD", "POST"]


def test_a_loop_of_redirects_ends(origin, repository):
    registry = origin(status(307, Location="/again"))
    with pytest.raises(Ending, match="redirect") as ended:
        repository(registry.url).pull_blob(DIGEST)
    assert ended.value.code == Exit.UNAVAILABLE
    assert len(registry.seen) < 10


def test_another_host_that_refuses_is_named_and_the_token_is_not_blamed(origin, repository):
    store = origin(status(401))
    registry = origin(status(308, Location=f"{store.url}/v2"))
    with pytest.raises(Ending, match=f"sends clients on to {store.url}") as ended:
        repository(registry.url).pull_blob(DIGEST)
    assert ended.value.code == Exit.MISCONFIGURED


@pytest.mark.parametrize("location", ["http://registry.example/v2/blob", "http://store.example/blob"])
def test_nothing_is_sent_in_the_clear_where_the_registry_is_asked_by_tls(location):
    with pytest.raises(Ending, match="X-Forwarded-Proto") as ended:
        resolved("https://registry.example/v2/x", location)
    assert ended.value.code == Exit.MISCONFIGURED


def test_a_registry_may_lead_from_http_to_https():
    assert resolved("http://registry.example/v2/x", "https://registry.example/v2/x") == "https://registry.example/v2/x"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://registry:80/v2", "http://REGISTRY/x", True),
        ("https://registry/v2", "https://registry:443/x", True),
        ("http://registry/v2", "https://registry/v2", False),
        ("http://registry:5000/v2", "http://registry:5001/v2", False),
        ("http://registry/v2", "http://registry.example/v2", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one, other, same):
    assert (origin_of(one) == origin_of(other)) is same


def test_a_registry_that_knows_no_head_is_asked_by_get(origin, repository):
    registry = origin(status(405), status(200, WEIGHTS))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.asked == ["HEAD", "GET"]


@pytest.mark.parametrize("code", [202, 204])
def test_an_upload_that_is_answered_otherwise_than_by_201_counts_once_it_is_found(origin, repository, code):
    registry = origin(MISSING, session(), status(code), MISSING, status(200))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.asked == ["HEAD", "POST", "PUT", "HEAD", "HEAD"]


@pytest.mark.parametrize("code", [200, 202, 204])
def test_a_manifest_that_is_answered_otherwise_than_by_201_counts_once_it_is_found(origin, repository, code):
    registry = origin(status(code), status(200))
    pushed = push_manifest(repository(registry.url))
    assert registry.asked == ["PUT", "HEAD"]
    assert registry.seen[1].path.endswith(pushed)


def test_a_broken_upload_is_looked_for_and_begun_anew(origin, repository):
    registry = origin(MISSING, session(), None, MISSING, session("/upload/2"), CREATED)
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.asked == ["HEAD", "POST", "PUT", "HEAD", "POST", "PUT"]
    assert registry.seen[-1].path.startswith("/upload/2?digest=")


def test_an_upload_whose_answer_was_lost_is_not_sent_again(origin, repository):
    registry = origin(MISSING, session(), None, status(200))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.asked == ["HEAD", "POST", "PUT", "HEAD"]


@pytest.mark.parametrize(
    "gone", [status(404), status(416), status(400, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'), status(503)]
)
def test_an_upload_session_that_the_registry_forgot_is_begun_anew(origin, repository, gone):
    registry = origin(MISSING, session(), gone, MISSING, session("/upload/2"), CREATED)
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.asked[3:] == ["HEAD", "POST", "PUT"]


def test_an_upload_whose_address_on_another_host_has_expired_is_begun_anew(origin, repository):
    store = origin(status(403), CREATED)
    registry = origin(MISSING, session(f"{store.url}/put?1"), MISSING, session(f"{store.url}/put?2"))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.asked == ["HEAD", "POST", "HEAD", "POST"]
    assert [seen.path[:6] for seen in store.seen] == ["/put?1", "/put?2"]


def test_sessions_that_are_always_forgotten_end_as_worth_another_run(origin, repository):
    registry = origin(lambda seen: session() if seen.method == "POST" else MISSING)
    with pytest.raises(Ending, match="upload") as ended:
        repository(registry.url).push_blob("x", WEIGHTS)
    assert ended.value.code == Exit.UNAVAILABLE
    assert registry.asked.count("POST") == 5


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("session/1?s=2", "/v2/rune/demo/adapters/blobs/uploads/session/1?s=2&digest="),
        ("/put/1", "/put/1?digest="),
        ("?s=2", "/v2/rune/demo/adapters/blobs/uploads/?s=2&digest="),
    ],
)
def test_a_relative_location_starts_at_the_url_that_was_asked(origin, repository, location, path):
    registry = origin(MISSING, session(location), CREATED)
    repository(registry.url).push_blob("x", WEIGHTS)
    assert registry.seen[-1].path.startswith(path)


def test_a_location_is_read_from_where_the_redirect_led(origin, repository):
    store = origin(session("one"), CREATED)
    registry = origin(MISSING, status(307, Location=f"{store.url}/a/b/"))
    repository(registry.url).push_blob("x", WEIGHTS)
    assert store.seen[-1].path.startswith("/a/b/one?digest=")


def test_an_upload_without_a_location_is_told(origin, repository):
    registry = origin(MISSING, status(202))
    with pytest.raises(Ending, match="without saying where"):
        repository(registry.url).push_blob("x", WEIGHTS)


def test_a_registry_that_knows_no_such_repository_is_not_told_as_a_missing_artifact(origin, repository):
    with pytest.raises(Ending, match="takes no uploads") as ended:
        repository(origin(MISSING).url).push_blob("x", WEIGHTS)
    assert (ended.value.code, ended.value.reason) == (Exit.UNAVAILABLE, "RegistryUnavailable")


def test_a_manifest_whose_blobs_are_not_seen_yet_is_sent_again(origin, repository):
    registry = origin(MISSING, status(400, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}'), MISSING, CREATED)
    push_manifest(repository(registry.url))
    assert registry.asked == ["PUT", "PUT", "GET", "PUT"]


@pytest.mark.parametrize("code", [400, 403, 409, 412])
def test_a_tag_that_may_be_set_only_once_counts_as_set_where_it_leads_to_the_same_manifest(origin, repository, code):
    def push(registry: Origin) -> None:
        config = Descriptor("c", DIGEST, len(WEIGHTS))
        repository(registry.url).push_manifest("t", config, [], {}, tag="run-1")

    first = origin(CREATED)
    push(first)
    registry = origin(status(code), status(200, first.seen[-1].body))
    push(registry)
    assert registry.asked == ["PUT", "GET"]
    with pytest.raises(Ending):
        push(origin(lambda seen: status(code) if seen.method == "PUT" else status(200, b"another manifest")))


def test_a_busy_registry_is_given_the_time_that_it_asks_for(origin, repository):
    registry = origin(status(429, **{"Retry-After": "7"}), status(200, WEIGHTS))
    repository(registry.url).pull_blob(DIGEST)
    assert repository.waits == [7]


def push_manifest(repository: Repository) -> str:
    return repository.push_manifest("type", Descriptor("type", DIGEST, 2), [], {}, "run-1").digest


@pytest.mark.parametrize("body", [b"weig", WEIGHTS])
def test_a_file_that_broke_off_is_fetched_again(origin, repository, tmp_path, body):
    registry = origin((200, {"Content-Length": "7"}, body), status(200, WEIGHTS))
    repository(registry.url).pull_file(DIGEST, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == WEIGHTS


def test_a_full_disk_is_no_outage_of_the_registry(origin, repository, tmp_path):
    (tmp_path / ".file.part").symlink_to("/dev/full")
    registry = origin(status(200, WEIGHTS))
    with pytest.raises(OSError, match="No space left on device"):
        repository(registry.url).pull_file(DIGEST, tmp_path / "file")
    assert len(registry.seen) == 1


def test_a_file_follows_a_redirect_whole(origin, repository, tmp_path):
    (tmp_path / "file").write_bytes(WEIGHTS)
    store = origin(CREATED)
    registry = origin(MISSING, session(), status(307, Location=f"{store.url}/upload"), status(200))
    repository(registry.url).push_file("x", tmp_path / "file", "file")
    assert [seen.body for seen in store.seen] == [WEIGHTS]
