/** The kinds of these examples, for a real cluster: `node examples/crds.ts | kubectl apply -f -`. */
import { resource } from "kopf-ts";
import { crdOf, yamlOf } from "kopf-ts/manifests";

const kinds = ["Greeting", "EphemeralVolumeClaim", "Heartbeat", "Folder", "Discount"];

export const crds = kinds.map((kind) =>
  crdOf(resource({ group: "examples.kopf-ts.dev", version: "v1", kind, plural: `${kind.toLowerCase()}s` })),
);

if (process.argv[1] === import.meta.filename) process.stdout.write(yamlOf(crds));
