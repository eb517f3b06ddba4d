"""The benchmark's operator on Kopf. It speaks the protocol of ../../README.md.

Kopf has no number of workers in the others' sense: it runs one task per object with events. `queueing.worker_limit`
would bound them, but a task keeps its place for `idle_timeout` seconds after its last event, so ten of them would
handle two objects a second; Kopf is therefore left at its default, unbounded. It keeps no cache either: "synced" is
reported when it starts to watch.
"""

import json
import os
import signal
import ssl
import tempfile
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import aiohttp
import kopf

GROUP, VERSION, PLURAL = "bench.rune.dev", "v1", "widgets"
MODE = os.environ["RUNE_BENCH_MODE"]
NAMESPACE = os.environ["RUNE_BENCH_NAMESPACE"]
passes = 0


def tell(**message: Any):
    print(json.dumps(message), flush=True)


def count_pass():
    global passes  # noqa: PLW0603 (one count of the process)
    passes += 1


def answer(spec: Any, meta: Any, status: Any):
    """The status that all operators of the benchmark write."""
    none: dict[str, Any] = {}
    ready = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), none)
    since = ready.get("lastTransitionTime") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    generation = meta.get("generation")
    condition = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": since}
    return {
        "revision": spec.get("revision"),
        "children": spec.get("children"),
        "observedGeneration": generation,
        "conditions": [condition | {"observedGeneration": generation}],
    }


class Api:
    """What Kopf leaves to its users: calls for objects other than the handled one."""

    def __init__(self):
        with open(os.environ["KUBECONFIG"], encoding="utf-8") as file:
            config = json.load(file)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        self.session = aiohttp.ClientSession(base_url=cluster["server"], connector=aiohttp.TCPConnector(ssl=context))

    async def create_config_map(self, body: Any):
        async with self.session.post(f"/api/v1/namespaces/{NAMESPACE}/configmaps", json=body) as answer:
            if answer.status != 409:
                answer.raise_for_status()

    async def patch_status(self, name: Any, status: Any):
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}/{name}/status"
        headers = {"content-type": "application/merge-patch+json"}
        async with self.session.patch(path, data=json.dumps({"status": status}), headers=headers) as answer:
            answer.raise_for_status()


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, memo: kopf.Memo, **_):
    settings.posting.enabled = False
    settings.peering.standalone = True
    memo.api = Api()
    tell(synced=True)


if MODE == "status":

    @kopf.on.resume(GROUP, VERSION, PLURAL)
    @kopf.on.create(GROUP, VERSION, PLURAL)
    @kopf.on.update(GROUP, VERSION, PLURAL, field="spec")
    async def reconcile(spec: Any, meta: Any, status: Any, patch: Any, **_):
        count_pass()
        if status.get("revision") != spec.get("revision"):
            patch.status.update(answer(spec, meta, status))


if MODE == "children":
    # Revisions whose status has been written, by the parent's UID.
    written: dict[str, int] = {}

    @kopf.index(GROUP, VERSION, PLURAL)
    async def parents(meta: Any, spec: Any, **_):
        return {meta["uid"]: {"spec": dict(spec), "generation": meta["generation"]}}

    @kopf.index("configmaps")
    async def children(meta: Any, **_):
        owner = controller_of(meta)
        return {owner["uid"]: meta["name"]} if owner else None

    def controller_of(meta: Any):
        return next((owner for owner in meta.get("ownerReferences", []) if owner.get("controller")), None)

    async def report(api: Any, name: Any, uid: Any, parents: Any, children: Any):
        for parent in parents.get(uid, []):
            spec = parent["spec"]
            complete = len(set(children.get(uid, []))) >= spec.get("children", 0)
            if complete and written.get(uid) != spec["revision"]:
                written[uid] = spec["revision"]
                await api.patch_status(name, answer(spec, parent, {}))

    @kopf.on.resume(GROUP, VERSION, PLURAL)
    @kopf.on.create(GROUP, VERSION, PLURAL)
    @kopf.on.update(GROUP, VERSION, PLURAL, field="spec")
    async def reconcile_parent(name: Any, uid: Any, spec: Any, memo: Any, parents: Any, children: Any, **_):
        count_pass()
        known = set(children.get(uid, []))
        reference = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Widget", "name": name, "uid": uid, "controller": True}
        for index in range(spec.get("children", 0)):
            child = f"{name}-{index}"
            if child in known:
                continue
            metadata = {
                "namespace": NAMESPACE,
                "name": child,
                "ownerReferences": [reference | {"blockOwnerDeletion": True}],
            }
            await memo.api.create_config_map({"metadata": metadata, "data": {"index": str(index)}})
        await report(memo.api, name, uid, parents, children)

    @kopf.on.event("configmaps")
    async def child_changed(meta: Any, memo: Any, parents: Any, children: Any, **_):
        count_pass()
        owner = controller_of(meta)
        if owner:
            await report(memo.api, owner["name"], owner["uid"], parents, children)


signal.signal(signal.SIGUSR2, lambda *_: tell(passes=passes))
kopf.configure(verbose=False, quiet=True)
kopf.run(namespaces=[NAMESPACE], standalone=True)
