/**
 * What a cluster must have for this program, made from the program itself:
 * `node examples/11-manifests.ts --print-manifests | kubectl apply -f -`. Each Counter counts the ConfigMaps of its namespace.
 */
import { Client, configMaps, Manager, ready, resource } from "kopf-ts";
import { printManifests } from "kopf-ts/manifests";
import { z } from "zod";

const schema = z.object({
  spec: z
    .object({ atLeast: z.number().int().min(0).default(0), atMost: z.number().int().max(1000) })
    .meta({ "x-kubernetes-validations": [{ rule: "self.atLeast <= self.atMost", message: "atLeast must not be above atMost" }] }),
  status: z.object({ count: z.number().int(), verdict: z.enum(["TooFew", "Right", "TooMany"]) }).optional(),
});
const counters = resource({
  group: "examples.kopf-ts.dev",
  version: "v1",
  kind: "Counter",
  plural: "counters",
  columns: [{ name: "Verdict", type: "string", jsonPath: ".status.verdict" }],
  schema,
});

const manager = new Manager({ client: await Client.fromEnvironment(process.env) });
manager
  .controller("counter")
  .for(counters, { verbs: [] })
  .watches(
    configMaps,
    ({ metadata: { namespace } }, cache) =>
      cache(counters)
        .list({ namespace })
        .map(({ metadata }) => metadata),
    { metadataOnly: true },
  )
  .complete(({ metadata, spec }, ctx) => {
    const count = ctx.cache(configMaps, { metadataOnly: true }).list({ namespace: metadata.namespace }).length;
    return ready({ count, verdict: count < spec.atLeast ? "TooFew" : count > spec.atMost ? "TooMany" : "Right" });
  });

if (process.argv.includes("--print-manifests")) {
  printManifests(manager, { name: "counter", namespace: "counter-system", kinds: [counters] });
} else await manager.run();
