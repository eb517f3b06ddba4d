"""Logins at registries of one's own, against a fake token server and fake registries on loopback."""

import base64
import json
import shutil
import ssl
import subprocess
import urllib.parse
from email.message import Message

import pytest
from origins import Answer, Origin, Seen, status

from rune_trainer.canonical import digest_of
from rune_trainer.contract import Exit
from rune_trainer.errors import Ending
from rune_trainer.registry import Repository
from rune_trainer.registry_login import Challenge, Credential, Login, challenge_of, credential_from

WEIGHTS = b"weights"
DIGEST = digest_of(WEIGHTS)
ENTRY = {"auth": base64.b64encode(b"robot:secret").decode()}
BASIC = f"Basic {ENTRY['auth']}"
SCOPE = "repository:rune/demo/adapters:pull"


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
    def at(registry: Origin, entry: dict[str, str] = ENTRY, prefix: str = "") -> Repository:
        text = json.dumps({"auths": {urllib.parse.urlsplit(registry.url).netloc: entry}})
        (tmp_path / "token").write_text(text)
        return Repository(registry.url + prefix, str(tmp_path / "token"), "rune/demo/adapters", wait=lambda _: None)

    return at


@pytest.fixture
def tokens(origin):
    """A fake token server: gives `<scope>#<how many>` for the right login."""
    given = list[str]()

    def answer(seen: Seen) -> Answer:
        text = seen.body.decode() if seen.method == "POST" else urllib.parse.urlsplit(seen.path).query
        asked = dict(urllib.parse.parse_qsl(text))
        if seen.authorization != BASIC and asked.get("refresh_token") != "refresh":
            return status(401)
        given.append(asked["scope"])
        return status(200, json.dumps({"token": f"{asked['scope']}#{len(given)}", "expires_in": 300}).encode())

    return origin(answer)


def bearer(tokens: Origin, accepts=lambda seen: (seen.authorization or "").startswith("Bearer "), scope: str = ""):
    """A registry that wants tokens of this server, as Distribution does; it holds one blob and takes everything."""
    named = f',scope="{scope}"' if scope else ""
    challenge = {"WWW-Authenticate": f'Bearer realm="{tokens.url}/token",service="reg"{named}'}

    def answer(seen: Seen) -> Answer:
        if not accepts(seen):
            return status(401, **challenge)
        if seen.method == "POST":
            return status(202, Location="/uploads-of-all/1")
        missing = seen.method == "HEAD"
        return status({"PUT": 201}.get(seen.method, 404 if missing else 200), WEIGHTS if seen.method == "GET" else b"")

    return answer


def test_a_login_by_basic_is_shown_where_the_registry_asks_for_it(origin, repository):
    registry = origin(
        lambda seen: (
            status(200, WEIGHTS)
            if seen.authorization == BASIC
            else status(401, **{"WWW-Authenticate": 'Basic realm="R"'})
        )
    )
    r = repository(registry)
    for _ in range(2):
        assert r.pull_blob(DIGEST) == WEIGHTS
    assert [(seen.path, seen.authorization) for seen in registry.seen] == [
        ("/v2/", None),
        *[(f"/v2/rune/demo/adapters/blobs/{DIGEST}", BASIC)] * 2,
    ]


def test_a_token_is_for_one_repository_and_only_to_pull_and_is_used_until_it_ends(origin, repository, tokens):
    registry = origin(bearer(tokens))
    r = repository(registry)
    now = [1000.0]
    r.client.now = lambda: now[0]
    for _ in range(2):
        r.pull_blob(DIGEST)
    assert len(tokens.seen) == 1
    assert dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(tokens.seen[0].path).query)) == {
        "service": "reg",
        "scope": SCOPE,
    }
    now[0] += 291
    r.pull_blob(DIGEST)
    assert [seen.authorization for seen in registry.seen[1:]] == [f"Bearer {SCOPE}#1"] * 2 + [f"Bearer {SCOPE}#2"]


def test_what_is_pushed_is_sent_with_the_right_to_push(origin, repository, tokens):
    registry = origin(bearer(tokens))
    repository(registry).push_blob("x", WEIGHTS)
    assert [(seen.method, seen.authorization) for seen in registry.seen[1:]] == [
        ("HEAD", f"Bearer {SCOPE}#1"),
        ("POST", f"Bearer {SCOPE},push#2"),
        ("PUT", f"Bearer {SCOPE},push#2"),
    ]
    assert registry.seen[-1].body == WEIGHTS


def test_a_scope_that_the_registry_names_is_asked_for(origin, repository, tokens):
    wide = "repository:acme/rune:pull"
    registry = origin(bearer(tokens, lambda seen: seen.authorization == f"Bearer {wide}#2", wide))
    assert repository(registry).pull_blob(DIGEST) == WEIGHTS


def test_an_identity_token_is_exchanged_by_a_form(origin, repository, tokens):
    repository(origin(bearer(tokens)), {"identitytoken": "refresh"}).pull_blob(DIGEST)
    assert tokens.seen[0].method == "POST"
    assert dict(urllib.parse.parse_qsl(tokens.seen[0].body.decode())) == {
        "grant_type": "refresh_token",
        "client_id": "rune",
        "refresh_token": "refresh",
        "service": "reg",
        "scope": SCOPE,
    }


def test_a_login_that_the_token_server_refuses_ends_the_job_with_where_that_is(origin, repository, tokens):
    with pytest.raises(Ending) as ended:
        repository(origin(bearer(tokens)), {"username": "robot", "password": "old"}).pull_blob(DIGEST)
    assert (ended.value.code, ended.value.reason) == (Exit.MISCONFIGURED, "RegistryDenied")
    assert (
        f"the token server {tokens.url}/token, which the registry names, refused the login (401)" in ended.value.message
    )


def test_a_second_refusal_is_final(origin, repository, tokens):
    with pytest.raises(Ending) as ended:
        repository(origin(bearer(tokens, lambda _: False))).pull_blob(DIGEST)
    assert ended.value.reason == "RegistryDenied"
    assert len(tokens.seen) == 2


def test_neither_login_nor_token_goes_to_where_a_blob_is_redirected(origin, repository, tokens):
    store = origin(status(401, **{"WWW-Authenticate": f'Bearer realm="{tokens.url}/store"'}))
    registry = origin(
        lambda seen: (
            status(200)
            if seen.path == "/v2/" and seen.authorization
            else status(307, Location=f"{store.url}/blob")
            if seen.authorization == BASIC
            else status(401, **{"WWW-Authenticate": "Basic"})
        )
    )
    with pytest.raises(Ending, match=f"sends clients on to {store.url}"):
        repository(registry).pull_blob(DIGEST)
    assert [seen.authorization for seen in store.seen] == [None]
    assert tokens.seen == []


def test_no_redirect_of_a_token_server_is_followed(origin, repository):
    elsewhere = origin(status(200, b'{"token": "stolen"}'))
    registry = origin(bearer(origin(status(307, Location=elsewhere.url))))
    with pytest.raises(Ending, match="answered 307 and no token"):
        repository(registry).pull_blob(DIGEST)
    assert elsewhere.seen == []


def test_the_path_of_the_registrys_address_stands_before_every_repository(origin, repository, tokens):
    registry = origin(bearer(tokens))
    repository(registry, prefix="/acme/").pull_blob(DIGEST)
    assert registry.seen[-1].path == f"/v2/acme/rune/demo/adapters/blobs/{DIGEST}"
    assert registry.seen[-1].authorization == "Bearer repository:acme/rune/demo/adapters:pull#1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jwt", Credential(Login(token="jwt"))),
        ("", Credential(Login())),
        (
            '{"auths": {"https://R.example:5000/v1/": {"username": "a", "password": "b:c"}}}',
            Credential(Login(password="a:b:c")),
        ),
        ('{"auths": {"r.example:5000": {"registrytoken": "jwt"}}, "ca": "PEM"}', Credential(Login(token="jwt"), "PEM")),
        ('{"auths": {"r.example:5000": {"auth": "MDo=", "identitytoken": "i"}}}', Credential(Login(identity="i"))),
        ('{"auths": {}, "ca": "PEM"}', Credential(Login(), "PEM")),
    ],
)
def test_a_credential_is_a_token_or_a_config_of_docker(text, expected):
    assert credential_from(text, "https://r.example:5000/team") == expected


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://r.example", "r.example:443"),
        ("https://r.example:443/team", "r.example"),
        ("http://r.example:80", "http://r.example:80/v2/"),
    ],
)
def test_the_protocols_own_port_is_none(url, name):
    text = json.dumps({"auths": {name: {"auth": "YTpi"}}})
    assert credential_from(text, url) == Credential(Login(password="a:b"))
    with pytest.raises(Ending, match=r"credentials are for r\.example:5000"):
        credential_from('{"auths": {"r.example:5000": {}}}', url)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "make the Secret again"),
        ('{"auths": []}', "make the Secret again"),
        ('{"auths": {"r.example": {"auth": "!"}}}', "make the Secret again"),
        (
            '{"auths": {"a.example": {"auth": "eDpoaWRkZW4="}}}',
            "the credentials are for a.example, not for the registry r.example",
        ),
    ],
)
def test_a_credential_that_is_none_is_refused_in_words(text, words):
    with pytest.raises(Ending, match=words) as ended:
        credential_from(text, "https://r.example")
    assert "hidden" not in ended.value.message


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://a/t?x=1,2",service="s",scope="r:x:pull,push"',
            Challenge("https://a/t?x=1,2", "s", "r:x:pull,push"),
        ),
        ('Basic realm="ECR", Bearer realm="https://a"', Challenge("https://a")),
        ('Basic realm="https://api.ecr/",service="ecr"', Challenge()),
        ("Bearer", None),
        ("Negotiate abc", None),
    ],
)
def test_a_challenge_is_read_as_its_grammar_says(header, expected):
    headers = Message()
    headers["WWW-Authenticate"] = header
    assert challenge_of(headers) == expected


def test_a_registry_with_a_certificate_of_a_private_authority_is_trusted_with_it_alone(origin, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        "key.pem",
        "-out",
        "ca.pem",
    ]
    subprocess.run([*made, *named], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    registry = origin(status(200, WEIGHTS))
    registry.server.socket = context.wrap_socket(registry.server.socket, server_side=True)
    url = registry.url.replace("http://127.0.0.1", "https://localhost")
    token = tmp_path / "token"
    pulled = Repository(url, str(token), "rune/demo/adapters", wait=lambda _: None)
    token.write_text(json.dumps({"auths": {}, "ca": (tmp_path / "ca.pem").read_text()}))
    assert pulled.pull_blob(DIGEST) == WEIGHTS
    token.write_text("{}")
    with pytest.raises(Ending, match="CERTIFICATE_VERIFY_FAILED"):
        pulled.pull_blob(DIGEST)
