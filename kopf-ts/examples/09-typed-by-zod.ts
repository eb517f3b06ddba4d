/**
 * A kind typed by its schema: objects are parsed before any code sees them, with defaults filled in; an object that
 * doesn't match reports that in its status and isn't reconciled.
 */
import { Client, Manager, ready, resource } from "kopf-ts";
import { z } from "zod";

const Discount = z.object({
  spec: z.object({ percent: z.number().int().min(1).max(90), on: z.array(z.string()).default(["everything"]) }),
});
const discounts = resource({ group: "examples.kopf-ts.dev", version: "v1", kind: "Discount", plural: "discounts", schema: Discount });

const manager = new Manager({ client: await Client.fromEnvironment(process.env) });
manager
  .controller("discount")
  .for(discounts)
  .complete(({ spec }) => ready({ text: `${spec.percent} % off ${spec.on.join(" and ")}` }));

await manager.run();
