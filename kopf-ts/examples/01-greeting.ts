/** The smallest reconciler: each Greeting has a ConfigMap with its text. */
import { Client, configMaps, type DynamicObject, Manager, ownerReference, progressing, ready, resource } from "kopf-ts";

interface Greeting extends DynamicObject {
  spec: { to: string };
}
const greetings = resource<Greeting>({ group: "examples.kopf-ts.dev", version: "v1", kind: "Greeting", plural: "greetings" });

const manager = new Manager({ client: await Client.fromEnvironment(process.env) });

manager
  .controller("greeting")
  .for(greetings)
  .owns(configMaps)
  .complete((greeting, ctx) => {
    const { namespace, name } = greeting.metadata;
    const text = `Hello, ${greeting.spec.to}!`;
    const child = ctx.cache(configMaps).get({ namespace, name });
    if (child?.data?.text === text) return ready({ text });
    return progressing("Writing", "the ConfigMap is being written").applying({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name, ownerReferences: [ownerReference(greeting)] },
      data: { text },
    });
  });

await manager.run();
