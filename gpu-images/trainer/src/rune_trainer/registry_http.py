"""HTTP as registries use it: redirects, uploads on other hosts, busy servers. Credentials are sent to the registry's
own origin only.

The distribution specification: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import contextlib
import errno
import http.client
import pathlib
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import dataclass
from email.message import Message
from typing import Any, TypeVar

from rune_trainer.errors import misconfigured, unavailable
from rune_trainer.registry_login import Authorization, credential_from

T = TypeVar("T")
Content = bytes | pathlib.Path
"""A body, or the file that holds it."""
TRIES = 5
TIMEOUT_SECONDS = 120
MOST_REDIRECTS = 5
LONGEST_WAIT_SECONDS = 60.0
KEEP_THE_METHOD = (307, 308)
DENIED = (401, 403)
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
"""Errors of the pod's own disk, which are no outage of the registry."""
REDIRECTS = (301, 302, 303, *KEEP_THE_METHOD)


class Away(Exception):
    """Worth a retry: the network failed, the server is busy, an upload session has expired."""

    def __init__(self, problem: str, after_seconds: float | None = None):
        super().__init__(problem)
        self.after_seconds = after_seconds


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes
    url: str
    """The URL after redirects: a relative Location starts there."""

    @property
    def words(self) -> str:
        return f"{self.status} {self.body[:200].decode(errors='replace')}".strip()


class Client:
    """Speaks to one registry; its credential is read from the file for every request, so a renewed one is used at once."""

    def __init__(
        self, url: str, token_file: str, wait: Callable[[float], Any], now: Callable[[], float] = time.monotonic
    ):
        """A path in `url` stands before every repository, as of a registry that gives its users one each."""
        self.root, self.token_file, self.wait, self.now = url.rstrip("/"), pathlib.Path(token_file), wait, now
        parts = urllib.parse.urlsplit(self.root)
        self.v2 = f"{parts.scheme}://{parts.netloc}/v2/"
        self.prefix = f"{parts.path[1:]}/" if parts.path else ""
        self.access: tuple[str, urllib.request.OpenerDirector, Authorization] | None = None

    def base(self, repository: str) -> str:
        return f"{self.v2}{self.prefix}{repository}"

    def trying(self, what: str, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, which may raise Away a few times."""
        problem = ""
        for number in range(1, TRIES + 1):
            try:
                return attempt()
            except Away as away:
                problem = str(away)
                if number < TRIES:
                    self.wait(min(away.after_seconds or 2**number / 2, LONGEST_WAIT_SECONDS))
        raise unavailable("RegistryUnavailable", f"{what} failed {TRIES} times, last: {problem}")

    def ask(
        self,
        method: str,
        url: str,
        expected: tuple[int, ...],
        data: Content | None = None,
        headers: dict[str, str] | None = None,
        into: pathlib.Path | None = None,
        about: str | None = None,
    ) -> Answer:
        """One exchange. Raises Away if a retry may succeed, Ending if not.
        The content of a successful answer goes `into` a file. `about`: a URL within the repository that the request is about,
        where its own is the registry's choice, as of an upload.
        """
        answer = self.follow(method, url, data, headers or {}, into, about or url)
        if answer.status in expected:
            return answer
        if answer.status in DENIED:
            raise misconfigured("RegistryDenied", self.denied(method, answer))
        if answer.status == 429 or answer.status >= 500:
            after = answer.headers.get("Retry-After", "")
            raise Away(
                f"{method} {without_query(url)} answered {answer.words}", float(after) if after.isdecimal() else None
            )
        raise unavailable("RegistryUnavailable", f"{method} {without_query(url)} answered {answer.words}")

    def denied(self, method: str, answer: Answer) -> str:
        if self.is_own(answer.url):
            return f"the registry refused {method} {without_query(answer.url)} ({answer.status}): the job's credentials must allow it and not be expired"
        other = "://".join(urllib.parse.urlsplit(answer.url)[:2])
        return (
            f"the registry {self.root} sends clients on to {other}, which refused {method} ({answer.status}); credentials go to the registry's own address "
            "alone: if that is another address of the same registry, set the installation's registry URL to it"
        )

    def follow(
        self,
        method: str,
        url: str,
        data: Content | None,
        headers: dict[str, str],
        into: pathlib.Path | None,
        about: str,
    ) -> Answer:
        for _ in range(MOST_REDIRECTS + 1):
            answer = self.send(method, url, data, headers, into, about)
            location = answer.headers.get("Location")
            if answer.status not in REDIRECTS or location is None:
                return answer
            if method not in ("GET", "HEAD") and answer.status not in KEEP_THE_METHOD:
                words = f"{answer.status} to {method} {without_query(url)}, a redirect that turns it into a GET"
                raise unavailable(
                    "RegistryUnavailable",
                    f"the registry answered {words}; set the installation's registry URL to where it leads",
                )
            url = resolved(url, location)
        raise unavailable(
            "RegistryUnavailable", f"more than {MOST_REDIRECTS} redirects, the last to {without_query(url)}"
        )

    def send(
        self,
        method: str,
        url: str,
        data: Content | None,
        headers: dict[str, str],
        into: pathlib.Path | None,
        about: str,
    ) -> Answer:
        opener, authorization = self.current()
        if not self.is_own(url):
            return exchange(opener, method, url, data, headers, into)

        def signed() -> Answer:
            return exchange(opener, method, url, data, {**headers, **shown(authorization.header(method, about))}, into)

        answer = signed()
        return signed() if answer.status == 401 and authorization.refused(method, about, answer.headers) else answer

    def is_own(self, url: str) -> bool:
        return origin_of(url) == origin_of(self.root)

    def current(self) -> tuple[urllib.request.OpenerDirector, Authorization]:
        """What the credential says now; tokens that were got by it are kept until it changes."""
        try:
            text = self.token_file.read_text().strip()
        except FileNotFoundError:
            text = ""
        if self.access is None or self.access[0] != text:
            credential = credential_from(text, self.root)
            opener = opener_of(credential.ca)

            def send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
                answer = exchange(opener, method, url, data, headers, None)
                if answer.status == 429 or answer.status >= 500:
                    raise Away(f"{method} {without_query(url)} answered {answer.status}")
                return answer

            self.access = (text, opener, Authorization(credential.login, self.v2, send, self.now))
        return self.access[1:]


def shown(authorization: str | None) -> dict[str, str]:
    return {"Authorization": authorization} if authorization else {}


def exchange(
    opener: urllib.request.OpenerDirector,
    method: str,
    url: str,
    data: Content | None,
    headers: dict[str, str],
    into: pathlib.Path | None,
) -> Answer:
    """One exchange, whatever its status, without redirects. Raises Away where the network fails, OSError where the disk does."""
    with body_of(data) as (body, length):
        request = urllib.request.Request(url, data=body, method=method, headers={**headers, **length})
        try:
            try:
                with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                    return Answer(answer.status, answer.headers, received(answer, into), url)
            except urllib.error.HTTPError as error:
                return Answer(error.code, error.headers, error.read(), url)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK:
                raise
            raise Away(f"{method} {without_query(url)}: {error}") from error


@contextlib.contextmanager
def body_of(data: Content | None) -> Generator[tuple[Any, dict[str, str]], None, None]:
    """The body for urllib, and the length, which it can't determine for a file."""
    if isinstance(data, pathlib.Path):
        with data.open("rb") as file:
            yield file, {"Content-Length": str(data.stat().st_size)}
    else:
        yield data, {}


def received(answer: Any, into: pathlib.Path | None) -> bytes:
    if into is None:
        return answer.read()
    with into.open("wb") as file:
        shutil.copyfileobj(answer, file, 1 << 20)
    if answer.length:  # the rest of the announced length
        raise Away(f"the answer ended {answer.length} bytes early")
    return b""


class Stay(urllib.request.HTTPRedirectHandler):
    """urllib would turn a HEAD into a GET and forward the token."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


def opener_of(ca: str | None) -> urllib.request.OpenerDirector:
    """Trusts these certificates beside the public authorities: what a registry leads to may be signed by one of them."""
    context = ssl.create_default_context()
    try:
        if ca:
            context.load_verify_locations(cadata=ca)
    except ssl.SSLError as error:
        raise misconfigured("RegistryDenied", f"the registry's certificates can't be read: {error}") from error
    return urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=context))


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: the scope of a credential."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def resolved(url: str, location: str) -> str:
    """A Location, relative to `url`. Never from TLS to plain text:
    addresses of uploads and stores are credentials themselves.
    """
    target = urllib.parse.urljoin(url, location)
    if url.startswith("https:") and not target.startswith("https:"):
        raise misconfigured(
            "RegistryDenied",
            f"the registry is asked by https and leads to {without_query(target)}; nothing was sent there: a proxy before it must pass X-Forwarded-Proto",
        )
    return target


def without_query(url: str) -> str:
    """A URL for messages: the query contains signatures."""
    return url.partition("?")[0]
