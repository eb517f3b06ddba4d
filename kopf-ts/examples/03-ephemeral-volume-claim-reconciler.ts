/**
 * Kopf's tutorial as a reconciler: one function returns what should exist, so creation, resizing and labels need no
 * separate cases.
 */
import {
  Client,
  type DynamicObject,
  Manager,
  ownerReference,
  persistentVolumeClaims,
  progressing,
  ready,
  resource,
  stalled,
} from "kopf-ts";

interface EphemeralVolumeClaim extends DynamicObject {
  spec: { size?: string };
}
const claims = resource<EphemeralVolumeClaim>({
  group: "examples.kopf-ts.dev",
  version: "v1",
  kind: "EphemeralVolumeClaim",
  plural: "ephemeralvolumeclaims",
});

const manager = new Manager({ client: await Client.fromEnvironment(process.env) });

manager
  .controller("ephemeral-volume-claim")
  .for(claims)
  .owns(persistentVolumeClaims)
  .complete((object, ctx) => {
    const { size } = object.spec;
    const { namespace, name, labels } = object.metadata;
    if (!size) return stalled("SizeMissing", "spec.size must be set, for example to 1Gi");
    const wanted = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { namespace, name, labels, ownerReferences: [ownerReference(object)] },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: size } } },
    };
    const isThere = ctx.cache(persistentVolumeClaims).get({ namespace, name })?.spec.resources.requests.storage === size;
    return (isThere ? ready({ claim: name }) : progressing("Claiming", `a claim of ${size} is being made`)).applying(wanted);
  });

await manager.run();
