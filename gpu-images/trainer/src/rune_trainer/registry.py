"""An OCI registry, by digest: pull what the job names, push what it made.

Everything pulled is hashed before it is used. Pushing is idempotent: what is already there is not sent again, and a
crash between two blobs leaves only unreferenced blobs. Only the standard library is needed.
"""

import json
import pathlib
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

from rune_trainer.canonical import canonical, digest_of, file_sha256
from rune_trainer.contract import TITLE_ANNOTATION, MediaType
from rune_trainer.errors import Ending, data_error, unavailable
from rune_trainer.registry_http import DENIED, Answer, Away, Client, Content, resolved

ANY_MANIFEST = f"{MediaType.MANIFEST}, {MediaType.INDEX}"
CREATED = 201
ALSO_STORED = (200, 202, 204)
"""Some registries return these instead of 201; it counts once the content is found."""
SESSION_GONE = (400, 404, 416)
"""Returned for an upload session that the registry has forgotten, or that is at another offset.
Addresses on other hosts expire too.
"""


@dataclass(frozen=True)
class Descriptor:
    media_type: str
    digest: str
    size: int
    title: str | None = None
    artifact_type: str | None = None
    """Of a manifest in an index."""

    def json(self) -> dict[str, Any]:
        titled = {"annotations": {TITLE_ANNOTATION: self.title}} if self.title else {}
        typed = {"artifactType": self.artifact_type} if self.artifact_type else {}
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **typed, **titled}


class Repository:
    """One repository of a registry."""

    def __init__(self, url: str, token_file: str, name: str, wait: Any = time.sleep):
        self.client, self.name = Client(url, token_file, wait), name

    def pull_manifest(self, reference: str) -> tuple[str, dict[str, Any]] | None:
        """(digest, manifest) by digest or tag; None if it doesn't exist. By digest, the bytes must match it."""
        answer = self.get(f"{self.base}/manifests/{reference}", Accept=ANY_MANIFEST)
        if answer.status == 404:
            return None
        body = answer.body
        if reference.startswith("sha256:") and digest_of(body) != reference:
            raise data_error(
                "DigestMismatch",
                f"the registry answered {digest_of(body)} for {self.name}@{reference}; nothing was used",
            )
        return digest_of(body), json.loads(body)

    def pull_blob(self, digest: str) -> bytes:
        answer = self.get(f"{self.base}/blobs/{digest}")
        if answer.status == 404:
            raise data_error("ArtifactMissing", f"{self.name} has no blob {digest}")
        body = answer.body
        if digest_of(body) != digest:
            raise data_error(
                "DigestMismatch",
                f"the registry answered {digest_of(body)} for the blob {digest} of {self.name}; nothing was used",
            )
        return body

    def pull_file(self, digest: str, path: pathlib.Path) -> None:
        """A blob that may be larger than memory, into a file, which exists afterwards only if it matches the digest."""
        draft = path.with_name(f".{path.name}.part")
        url = f"{self.base}/blobs/{digest}"
        answer = self.client.trying(f"GET {url}", lambda: self.client.ask("GET", url, (200, 404), into=draft))
        try:
            if answer.status == 404:
                raise data_error("ArtifactMissing", f"{self.name} has no blob {digest}")
            if (found := f"sha256:{file_sha256(draft)}") != digest:
                raise data_error(
                    "DigestMismatch",
                    f"the registry answered {found} for the blob {digest} of {self.name}; nothing was used",
                )
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)

    def need_manifest(self, digest: str) -> dict[str, Any]:
        """The manifest or index that a job names; its absence is an error."""
        found = self.pull_manifest(digest)
        if found is None:
            raise data_error("ArtifactMissing", f"{self.name}@{digest} is not in the registry")
        return found[1]

    def pull_layer(self, digest: str) -> tuple[str | None, bytes]:
        """(artifact type, content) of an artifact with a single layer."""
        manifest = self.need_manifest(digest)
        layers = manifest["layers"]
        if len(layers) != 1:
            raise data_error("UnexpectedArtifact", f"{self.name}@{digest} has {len(layers)} layers, expected one")
        return manifest.get("artifactType"), self.pull_blob(layers[0]["digest"])

    def pull_titled(self, digest: str, title: str) -> bytes | None:
        """One file of an artifact; None if it has none of that name."""
        layers = self.need_manifest(digest).get("layers", [])
        found = (layer for layer in layers if layer.get("annotations", {}).get(TITLE_ANNOTATION) == title)
        layer = next(found, None)
        return None if layer is None else self.pull_blob(layer["digest"])

    def push_blob(self, media_type: str, data: bytes, title: str | None = None) -> Descriptor:
        return self.push(Descriptor(media_type, digest_of(data), len(data), title), data)

    def push_file(self, media_type: str, path: pathlib.Path, title: str) -> Descriptor:
        """A file, which is never entirely in memory."""
        return self.push(Descriptor(media_type, f"sha256:{file_sha256(path)}", path.stat().st_size, title), path)

    def push(self, blob: Descriptor, content: Content) -> Descriptor:
        url = f"{self.base}/blobs/{blob.digest}"
        self.client.trying(
            f"the upload of {self.name}@{blob.digest}",
            lambda: self.holds(url) or self.upload(url, blob.digest, content),
        )
        return blob

    def upload(self, url: str, digest: str, data: Content) -> None:
        """Opens a session and sends everything. After any failure of a session, the retry checks whether the blob
        arrived and opens another.
        """
        opened = self.client.ask("POST", f"{self.base}/blobs/uploads/", (202, 404), data=b"")
        if opened.status == 404:
            raise unavailable(
                "RegistryUnavailable",
                f"the registry takes no uploads to {self.name} ({opened.words}); create that repository, or its project",
            )
        location = opened.headers.get("Location")
        if location is None:
            raise unavailable(
                "RegistryUnavailable",
                f"the registry opened an upload to {self.name} without saying where (no Location header)",
            )
        target = resolved(opened.url, location)
        target += ("&" if "?" in target else "?") + urllib.parse.urlencode({"digest": digest})
        gone = SESSION_GONE if self.client.is_own(target) else (*SESSION_GONE, *DENIED)
        stored = (CREATED, *ALSO_STORED, *gone)
        octets = {"Content-Type": "application/octet-stream"}
        answer = self.client.ask("PUT", target, stored, data=data, headers=octets, about=url)
        if answer.status in gone:
            raise Away(f"the registry no longer knows the upload session ({answer.words})")
        self.make_sure(answer, url)

    def make_sure(self, answer: Answer, url: str) -> None:
        if answer.status != CREATED and not self.holds(url):
            raise Away(f"the registry answered {answer.status} and doesn't have it yet")

    def holds(self, url: str) -> bool:
        """Whether a blob or a manifest exists."""
        answer = self.client.ask("HEAD", url, (200, 404, 405), headers={"Accept": ANY_MANIFEST})
        if answer.status == 405:
            answer = self.client.ask("GET", url, (200, 404), headers={"Accept": ANY_MANIFEST})
        return answer.status == 200

    def push_manifest(
        self,
        artifact_type: str,
        config: Descriptor,
        layers: list[Descriptor],
        annotations: dict[str, str],
        tag: str | None = None,
    ) -> Descriptor:
        """Stores the manifest under its digest and, as a hint, the tag."""
        content = {
            "mediaType": MediaType.MANIFEST,
            "artifactType": artifact_type,
            "config": config.json(),
            "layers": [layer.json() for layer in sorted(layers, key=lambda layer: layer.title or "")],
        }
        return self.store(content, annotations, tag)

    def push_index(
        self, artifact_type: str, manifests: list[Descriptor], annotations: dict[str, str], tag: str | None = None
    ) -> Descriptor:
        """Stores an index of existing manifests, in their order."""
        return self.store(
            {"mediaType": MediaType.INDEX, "artifactType": artifact_type, "manifests": [m.json() for m in manifests]},
            annotations,
            tag,
        )

    def store(self, content: dict[str, Any], annotations: dict[str, str], tag: str | None) -> Descriptor:
        body = canonical({"schemaVersion": 2, **content, **({"annotations": annotations} if annotations else {})})
        stored = Descriptor(content["mediaType"], digest_of(body), len(body), artifact_type=content["artifactType"])
        reference = tag or stored.digest
        self.client.trying(
            f"storing the manifest {self.name}:{reference}", lambda: self.put_manifest(reference, stored, body)
        )
        return stored

    def put_manifest(self, reference: str, stored: Descriptor, body: bytes) -> None:
        """A registry with immutable tags refuses to set one again, even to the same manifest: then the tag is there already."""
        url, kind = f"{self.base}/manifests/{reference}", {"Content-Type": stored.media_type}
        try:
            answer = self.client.ask("PUT", url, (CREATED, *ALSO_STORED, 400, 404), data=body, headers=kind)
        except Ending:
            if self.leads_to(url, stored.digest):
                return
            raise
        if answer.status == 400 and self.leads_to(url, stored.digest):
            return
        if answer.status in (400, 404):
            raise Away(f"the registry refused the manifest: {answer.words}")
        self.make_sure(answer, f"{self.base}/manifests/{stored.digest}")

    def leads_to(self, url: str, digest: str) -> bool:
        """Whether the registry has a manifest of this digest at the URL; False where it doesn't say."""
        try:
            answer = self.client.ask("GET", url, (200, 404), headers={"Accept": ANY_MANIFEST})
        except Ending:
            return False
        return answer.status == 200 and digest_of(answer.body) == digest

    @property
    def base(self) -> str:
        return self.client.base(self.name)

    def get(self, url: str, **headers: str) -> Answer:
        return self.client.trying(f"GET {url}", lambda: self.client.ask("GET", url, (200, 404), headers=headers))
