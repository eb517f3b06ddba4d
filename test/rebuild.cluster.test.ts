import { beforeAll, describe, expect, test } from "vitest";
import { storeEvidence } from "../clients/registry/evidence.ts";
import { kubectl } from "../cluster/api.ts";
import { succession } from "../controllers/testing/succession.ts";
import type { Adapter } from "../crds/kinds/adapter.ts";
import { resourceOf } from "../crds/kinds/kind.ts";
import { kinds } from "../crds/kinds/kinds.ts";
import { apiVersion, group } from "../crds/words/group.ts";
import { annotation } from "../crds/words/labels.ts";
import { ownNamespace } from "../examples/00-quickstart/manifests.ts";
import { install } from "../examples/shared/installation.ts";
import { namespaceManifest } from "../examples/shared/manifests.ts";
import { isTrue } from "../examples/shared/objects.ts";
import { forge, original, unseen } from "./support/bad-adapters.ts";
import { canRun, namespace, registryOf, system } from "./support/installation.ts";
import { create, eventually, fresh, read, readAll } from "./support/objects.ts";
import { goodAdapter } from "./support/sessions.ts";

/**
 * Everything is deleted but the registry's volume, and installed again: the adapters' records must be the same as
 * before. It runs last, because nothing else is left.
 */
describe.skipIf(!canRun)("a cluster that is made again beside the registry that was", { timeout: 900_000 }, () => {
  interface Claim {
    metadata: { name: string };
    spec: { accessModes: string[]; storageClassName: string; resources: object; volumeName: string };
  }

  /** The part of the status that is derived from evidence. */
  const known = ({ status }: Adapter) => {
    const { fitness, gate, evidence, tier, archived, champion } = status ?? {};
    return { fitness, gate, evidence, tier, archived, champion };
  };
  const manifestOf = ({ metadata: { name, labels }, spec }: Adapter) => ({
    apiVersion,
    kind: "Adapter",
    metadata: { name, namespace, ...(labels && { labels }) },
    spec,
  });

  let before: Adapter[];
  let claim: Claim;

  /** Evolution's decisions, stored as it stores them: the adapter took another one's place. Returns the other's name. */
  async function promote(adapter: Adapter): Promise<string> {
    const { repository, digest } = adapter.spec.artifact;
    const registry = await registryOf(repository);
    const forged = await forge("former", await original(adapter), { weights: unseen }, registry);
    const champion = { name: adapter.metadata.name, digest };
    const former = { name: forged.name, digest: forged.digest };
    for (const piece of succession({ champion, former, namespace })) await storeEvidence(registry, repository, piece);
    await create(forged.manifest);
    return forged.name;
  }

  beforeAll(async () => {
    const good = await goodAdapter();
    const { name } = good.metadata;
    // Besides the measurements, decisions by evolution and by a person. New words make the operator read the registry again.
    const former = await promote(good);
    const why = `${fresh("rebuild")}: no longer needed`;
    await kubectl(["annotate", "adapter", name, "-n", namespace, `${annotation.archive}=${why}`, "--overwrite"]);
    await eventually(
      "it is a champion, and archived",
      () => read<Adapter>("Adapter", namespace, name),
      ({ status }) => status?.archived === true && status.champion !== undefined,
    );
    await eventually(
      "the former champion is verified, and known as such",
      () => read<Adapter>("Adapter", namespace, former),
      (adapter) => isTrue(adapter, "Ready") && adapter.status?.tier === "Domain" && !adapter.status.champion,
    );
    before = await readAll<Adapter>("Adapter", namespace);
    claim = await read<Claim>("PersistentVolumeClaim", system, "rune-registry");
    const volume = claim.spec.volumeName;
    await kubectl(["patch", "pv", volume, "--type=merge", "-p", JSON.stringify({ spec: { persistentVolumeReclaimPolicy: "Retain" } })]);
    await kubectl(["delete", "modelservers", "--all", "-n", namespace, "--cascade=foreground", "--timeout=3m"]);
    for (const each of [namespace, system]) await kubectl(["delete", "namespace", each, "--timeout=5m"]);
    await kubectl(["delete", "crd", ...kinds.map((kind) => `${resourceOf(kind).plural}.${group}`), "--timeout=2m"]);
    await kubectl(["patch", "pv", volume, "--type=merge", "-p", JSON.stringify({ spec: { claimRef: null } })]);
  }, 900_000);

  test("knows fitness, gates, tiers, champions and archive of the adapters that are applied again, from the registry alone", async () => {
    expect(before.length).toBeGreaterThan(0);
    expect(before.some(({ status }) => status?.fitness && status.archived)).toBe(true);
    const ofDomain = before.filter(({ status }) => status?.tier === "Domain");
    expect(ofDomain.some(({ status }) => status?.champion)).toBe(true);
    expect(ofDomain.some(({ status }) => !status?.champion)).toBe(true);
    expect(await kubectl(["get", "namespace", system, "--ignore-not-found", "-o", "name"])).toBe("");

    const { metadata, spec } = claim;
    await create({ apiVersion: "v1", kind: "Namespace", metadata: { name: system } });
    await create({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: metadata.name, namespace: system },
      spec: {
        accessModes: spec.accessModes,
        storageClassName: spec.storageClassName,
        resources: spec.resources,
        volumeName: spec.volumeName,
      },
    });
    await install({ release: "rune", systemNamespace: system });
    await create(namespaceManifest(namespace, ownNamespace), ...before.map(manifestOf));

    for (const { metadata, status } of before) {
      const again = await eventually(
        `${metadata.name} is verified and knows its evidence`,
        () => read<Adapter>("Adapter", namespace, metadata.name),
        (adapter) => isTrue(adapter, "Ready") && adapter.status?.evidenceDigest === status?.evidenceDigest,
      );
      expect(known(again)).toEqual(known({ status } as Adapter));
    }
  });
});
