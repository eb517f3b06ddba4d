"""An OCI registry, by digest: pull what the job names, push what it made.

Everything pulled is hashed before it is used. Pushing is idempotent: what is already there is not sent again, and a
crash between two blobs leaves nothing but unreferenced blobs. Only the standard library is needed.
"""

import http.client
import json
import pathlib
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from rune_trainer.canonical import canonical, digest_of
from rune_trainer.errors import data_error, misconfigured, unavailable

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TITLE = "org.opencontainers.image.title"
TRIES = 5
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Descriptor:
    media_type: str
    digest: str
    size: int
    title: str | None = None

    def json(self) -> dict[str, Any]:
        titled = {"annotations": {TITLE: self.title}} if self.title else {}
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **titled}


class Repository:
    """One repository; the token is read from its file for every request, so a renewed one is used at once."""

    def __init__(self, url: str, token_file: str, name: str, wait: Any = time.sleep):
        self.root, self.token_file, self.name, self.wait = url.rstrip("/"), pathlib.Path(token_file), name, wait

    def pull_manifest(self, reference: str) -> tuple[str, dict[str, Any]] | None:
        """(digest, manifest) by digest or tag; None where there is none. By digest, the bytes must have it."""
        status, _, body = self.request("GET", f"{self.base}/manifests/{reference}", headers={"Accept": MANIFEST})
        if status == 404:
            return None
        if reference.startswith("sha256:") and digest_of(body) != reference:
            raise data_error("DigestMismatch", f"the registry answered {digest_of(body)} for {self.name}@{reference}; nothing was used")
        return digest_of(body), json.loads(body)

    def pull_blob(self, digest: str) -> bytes:
        status, _, body = self.request("GET", f"{self.base}/blobs/{digest}")
        if status == 404:
            raise data_error("ArtifactMissing", f"{self.name} has no blob {digest}")
        if digest_of(body) != digest:
            raise data_error("DigestMismatch", f"the registry answered {digest_of(body)} for the blob {digest} of {self.name}; nothing was used")
        return body

    def pull_json(self, digest: str) -> Any:
        """The content of an artifact with a single JSON layer."""
        found = self.pull_manifest(digest)
        if found is None:
            raise data_error("ArtifactMissing", f"{self.name}@{digest} is not in the registry")
        layers = found[1]["layers"]
        if len(layers) != 1:
            raise data_error("UnexpectedArtifact", f"{self.name}@{digest} has {len(layers)} layers, expected one JSON document")
        return json.loads(self.pull_blob(layers[0]["digest"]))

    def push_blob(self, media_type: str, data: bytes, title: str | None = None) -> Descriptor:
        blob = Descriptor(media_type, digest_of(data), len(data), title)
        status, _, _ = self.request("HEAD", f"{self.base}/blobs/{blob.digest}")
        if status == 404:
            self.upload(blob.digest, data)
        return blob

    def upload(self, digest: str, data: bytes) -> None:
        _, headers, _ = self.request("POST", f"{self.base}/blobs/uploads/", data=b"", allowed=(202,))
        target = urllib.parse.urljoin(self.base, headers["Location"])
        target += ("&" if "?" in target else "?") + urllib.parse.urlencode({"digest": digest})
        self.request("PUT", target, data=data, headers={"Content-Type": "application/octet-stream"}, allowed=(201,))

    def push_manifest(self, artifact_type: str, config: Descriptor, layers: list[Descriptor], annotations: dict[str, str], tag: str) -> str:
        """Stores the manifest under its digest and, as a hint, the tag; returns the digest."""
        body = canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": artifact_type,
                "config": config.json(),
                "layers": [layer.json() for layer in sorted(layers, key=lambda layer: layer.title or "")],
                **({"annotations": annotations} if annotations else {}),
            }
        )
        self.request("PUT", f"{self.base}/manifests/{tag}", data=body, headers={"Content-Type": MANIFEST}, allowed=(201,))
        return digest_of(body)

    @property
    def base(self) -> str:
        return f"{self.root}/v2/{self.name}"

    def request(self, method: str, url: str, data: bytes | None = None, headers: dict[str, str] | None = None, allowed: tuple[int, ...] = (200, 404)) -> tuple[int, Any, bytes]:
        """(status, headers, body). Tries again while the registry is away or busy."""
        problem = ""
        for attempt in range(TRIES):
            if attempt:
                self.wait(2**attempt / 2)
            try:
                status, answered, body = self.send(method, url, data, headers or {})
            except (OSError, http.client.HTTPException) as error:
                problem = str(error)
                continue
            if status in allowed:
                return status, answered, body
            if status in (401, 403):
                raise misconfigured("RegistryDenied", f"the registry refused {method} on {self.name} ({status}): the job's token must allow it and not be expired")
            problem = f"{status} {body[:200].decode(errors='replace')}"
            if status < 500 and status != 429:
                break
        raise unavailable("RegistryUnavailable", f"{method} {url} failed {attempt + 1} times, last: {problem}")

    def send(self, method: str, url: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        try:
            token = self.token_file.read_text().strip()
        except FileNotFoundError:
            token = ""
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, data=data, method=method, headers={**headers, **authorization})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()
