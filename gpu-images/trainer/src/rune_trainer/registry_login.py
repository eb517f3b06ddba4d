"""Who asks a registry: a token, a login that is shown as it is, or one that a token server exchanges.

The credential's file holds a bearer token, or a `config.json` as of Docker for the one registry, with our own field `ca`; clients/registry/login.ts
reads the same. Token servers: https://distribution.github.io/distribution/spec/auth/token/
"""

import base64
import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from rune_trainer.errors import Ending, misconfigured, unavailable

STANDARD_SECONDS = 60
"""What a token lives for whose server doesn't say ("Token Response Fields")."""
UNUSED_SECONDS = 10
SCHEME = re.compile(
    r"(?:^|[\s,])(Basic|Bearer)((?:\s*,?\s*[a-z_]+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s\",]+))*)", re.IGNORECASE
)
PARAMETER = re.compile(r"([a-z_]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",]+))", re.IGNORECASE)


class Reply(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Any: ...


Send = Callable[[str, str, dict[str, str], bytes | None], Reply]
"""One exchange without redirects: method, URL, headers, body."""


@dataclass(frozen=True)
class Login:
    """At most one of them: a bearer token for the registry itself, `user:password`, or what its token server takes for a refresh token."""

    token: str = ""
    password: str = ""
    identity: str = ""


@dataclass(frozen=True)
class Credential:
    login: Login
    ca: str | None = None
    """PEM certificates that the registry's own must be signed by where no public authority signed it."""


def credential_from(text: str, url: str) -> Credential:
    """What the text says for the registry at `url`. Raises where it names other registries alone."""
    if not text.startswith("{"):
        return Credential(Login(token=text))
    try:
        config = json.loads(text)
        scheme = urllib.parse.urlsplit(url).scheme
        auths = {host_of(name, scheme): entry for name, entry in config.get("auths", {}).items()}
        host = host_of(url, scheme)
        if auths and host not in auths:
            raise denied(
                f"the credentials are for {', '.join(auths)}, not for the registry {host}; add it to their Secret"
            )
        return Credential(login_of(auths.get(host, {})), config.get("ca"))
    except (ValueError, AttributeError, TypeError) as error:
        raise denied("the registry's credentials are no config.json with `auths`; make the Secret again") from error


def host_of(name: str, scheme: str) -> str:
    """Keys are hosts, or addresses such as `https://registry.example.org/v2/`. The scheme's own port may be there or not."""
    host = re.sub(r"^https?://", "", name).partition("/")[0].lower()
    return host.removesuffix(":443" if scheme == "https" else ":80")


def login_of(entry: dict[str, str]) -> Login:
    if entry.get("registrytoken"):
        return Login(token=entry["registrytoken"])
    if entry.get("identitytoken"):
        return Login(identity=entry["identitytoken"])
    joined = f"{entry.get('username', '')}:{entry.get('password', '')}"
    if entry.get("auth"):
        joined = base64.b64decode(entry["auth"]).decode(errors="replace")
    if ":" not in joined:
        raise denied("the credentials' `auth` is not the base64 of `user:password`; make the Secret again")
    return Login(password="" if joined == ":" else joined)


@dataclass(frozen=True)
class Challenge:
    """How a registry wants to be told who asks; `realm` is None for a password as it is."""

    realm: str | None = None
    service: str | None = None
    scope: str | None = None


def challenge_of(headers: Any) -> Challenge | None:
    """What `WWW-Authenticate` asks for; tokens rather than passwords, where both will do."""
    text = ", ".join(headers.get_all("WWW-Authenticate") or [])
    found = list[Challenge]()
    for scheme, parameters in SCHEME.findall(text):
        given = {
            n.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for n, quoted, plain in PARAMETER.findall(parameters)
        }
        if scheme.lower() == "basic":
            found.append(Challenge())
        elif given.get("realm"):
            return Challenge(given["realm"], given.get("service"), given.get("scope"))
    return found[0] if found else None


@dataclass
class Authorization:
    """Turns a login into what one registry's requests carry; tokens are asked for one repository at a time and used until they end."""

    login: Login
    root: str
    """Address of the registry's `/v2/`."""
    send: Send
    now: Callable[[], float]
    challenge: Challenge | None = None
    asked: bool = False
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    def header(self, method: str, url: str) -> str | None:
        """The `Authorization` of a request to the registry's own origin."""
        if self.login.token:
            return f"Bearer {self.login.token}"
        if not self.exchanges:
            return None
        if not self.asked:
            answer = self.send("GET", self.root, {}, None)
            self.challenge = challenge_of(answer.headers) if answer.status == 401 else None
            self.asked = True
        if self.challenge is None:
            return None
        if self.challenge.realm is None:
            return self.basic
        scope = scope_of(method, url, self.root)
        token, until = self.tokens.get(scope, ("", 0.0))
        return f"Bearer {token if until > self.now() else self.fetch(self.challenge, scope, scope)}"

    def refused(self, method: str, url: str, headers: Any) -> bool:
        """Whether another try has something new to show after this 401."""
        challenge = challenge_of(headers) if self.exchanges else None
        if challenge is None:
            return False
        was_basic = self.challenge is not None and self.challenge.realm is None
        self.challenge = challenge
        if challenge.realm is None:
            return not was_basic
        scope = scope_of(method, url, self.root)
        self.fetch(challenge, scope, challenge.scope or scope)
        return True

    def fetch(self, challenge: Challenge, key: str, scope: str) -> str:
        realm = urllib.parse.urljoin(self.root, challenge.realm or "")
        if self.root.startswith("https:") and not realm.startswith("https:"):
            raise denied(f"the registry is asked by https and names the token server {realm}; no login was sent there")
        named = {"service": challenge.service, "scope": scope}
        asked = {name: value for name, value in named.items() if value}
        answer = self.ask(realm, asked)
        what = f"the token server {realm.partition('?')[0]}, which the registry names,"
        if answer.status in (400, 401, 403):
            raise denied(f"{what} refused the login ({answer.status}); correct or renew the registry's credentials")
        given = parsed(answer.body) if answer.status == 200 else {}
        token = given.get("access_token") or given.get("token")
        if not isinstance(token, str) or not token:
            raise unavailable("RegistryUnavailable", f"{what} answered {answer.status} and no token")
        self.tokens[key] = (token, self.now() + float(given.get("expires_in") or STANDARD_SECONDS) - UNUSED_SECONDS)
        return token

    def ask(self, realm: str, asked: dict[str, str]) -> Reply:
        """By GET with the password, or by the form of OAuth 2 with an identity token. No redirect is followed."""
        if self.login.identity:
            form = {"grant_type": "refresh_token", "client_id": "rune", "refresh_token": self.login.identity, **asked}
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            return self.send("POST", realm, kind, urllib.parse.urlencode(form).encode())
        url = f"{realm}{'&' if '?' in realm else '?'}{urllib.parse.urlencode(asked)}"
        return self.send("GET", url, {"Authorization": self.basic}, None)

    @property
    def exchanges(self) -> bool:
        return bool(self.login.password or self.login.identity)

    @property
    def basic(self) -> str:
        return f"Basic {base64.b64encode(self.login.password.encode()).decode()}"


def scope_of(method: str, url: str, root: str) -> str:
    """The least that a request needs, as a scope of Distribution's token authentication; empty for what is about no repository."""
    found = re.match(r"(.+?)/(?:manifests|blobs|tags|referrers)/", url[len(root) :])
    return f"repository:{found[1]}:{'pull' if method in ('GET', 'HEAD') else 'pull,push'}" if found else ""


def parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def denied(message: str) -> Ending:
    return misconfigured("RegistryDenied", message)
