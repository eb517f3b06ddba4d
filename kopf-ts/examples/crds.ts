/** The kinds of these examples, for a real cluster: `node examples/crds.ts | kubectl apply -f -`. */
const kinds = ["Greeting", "EphemeralVolumeClaim", "Heartbeat", "Folder", "Discount"];

export const crds = kinds.map((kind) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${kind.toLowerCase()}s.examples.kopf-ts.dev` },
  spec: {
    group: "examples.kopf-ts.dev",
    scope: "Namespaced",
    names: { kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
}));

if (import.meta.main) process.stdout.write(`${JSON.stringify({ apiVersion: "v1", kind: "List", items: crds }, null, 2)}\n`);
