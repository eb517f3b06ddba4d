/**
 * A cache of metadata alone: ConfigMaps with a time to live are deleted when it is over. Their data is never fetched.
 */
import { Client, configMaps, Manager, unchanged } from "kopf-ts";

const annotation = "examples.kopf-ts.dev/seconds-to-live";
const manager = new Manager({ client: await Client.fromEnvironment(process.env) });

manager
  .controller("janitor")
  .for(configMaps, { metadataOnly: true })
  .complete((configMap, ctx) => {
    const seconds = Number(configMap.metadata.annotations?.[annotation]);
    if (!Number.isFinite(seconds) || configMap.metadata.deletionTimestamp) return unchanged();
    const born = Date.parse(configMap.metadata.creationTimestamp as string);
    const left = seconds - (ctx.clock.now().getTime() - born) / 1000;
    if (left > 0) return unchanged().again(left);
    return unchanged().event("Normal", "Expired", `it has lived for its ${seconds} s and is deleted`).deleting(configMap);
  });

await manager.run();
