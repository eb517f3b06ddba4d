/** The operator of Kopf's tutorial, in Kopf's words: an EphemeralVolumeClaim gets a claim, which follows its size and its labels. */
import { type DynamicObject, mergeDiff, Operator, ownerReference, PermanentError, persistentVolumeClaims, resource } from "kopf-ts";

interface EphemeralVolumeClaim extends DynamicObject {
  spec: { size?: string };
}
const claims = resource<EphemeralVolumeClaim>({
  group: "examples.kopf-ts.dev",
  version: "v1",
  kind: "EphemeralVolumeClaim",
  plural: "ephemeralvolumeclaims",
});

const operator = new Operator();

operator.on.create(claims, async ({ body, spec, name, namespace, meta, client, logger, patch }) => {
  if (!spec.size) throw new PermanentError("size must be set, for example to 1Gi");
  const claim = await client.apply(
    persistentVolumeClaims,
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { namespace, name, labels: meta.labels, ownerReferences: [ownerReference(body)] },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: spec.size } } },
    },
    { fieldManager: "ephemeral-volume-claim" },
  );
  logger.info("the claim is made", { claim: claim.metadata.name });
  patch.status.claim = claim.metadata.name;
});

operator.on.update(claims, { field: "spec.size" }, async ({ new: size, status, namespace, client }) => {
  if (typeof size !== "string") throw new PermanentError("size must be set, for example to 1Gi");
  await client.patch(persistentVolumeClaims, { namespace, name: status.claim }, { spec: { resources: { requests: { storage: size } } } });
});

operator.on.update(claims, { field: "metadata.labels" }, async ({ old, new: now, status, namespace, client }) => {
  const labels = mergeDiff(old ?? {}, now ?? {});
  await client.patch(persistentVolumeClaims, { namespace, name: status.claim }, { metadata: { labels } });
});

// Its owner reference takes the claim away; nothing has to wait for this.
operator.on.delete(claims, { optional: true }, ({ logger, status }) => logger.info("the claim goes with it", { claim: status?.claim }));

await operator.run();
