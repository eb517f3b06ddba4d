import { persistentVolumeClaims } from "kopf-ts";
import { withCluster } from "kopf-ts/testing";
import { afterEach, expect, test } from "vitest";
import { crds } from "./crds.ts";
import { claims, end, kill, launch, object, until } from "./program.ts";

afterEach(kill);

test("02, on a real cluster", async () => {
  const kubeconfig = process.env.KUBECONFIG as string;
  await withCluster({ kubeconfig, crds }, async ({ client, namespace }) => {
    launch("02-ephemeral-volume-claim.ts", { KUBECONFIG: kubeconfig });
    const at = { namespace, name: "a" };
    const storage = async () => await client.find(persistentVolumeClaims, at);
    await client.create(claims, object(claims, { size: "1Mi" }, { namespace, labels: { tier: "gold" } }));
    await until(async () => (await storage())?.metadata.labels?.tier === "gold");
    await until(async () => (await client.get(claims, at)).metadata.annotations?.["kopf-ts.dev/last-handled"]);
    await client.modify(claims, at, ({ metadata }) => {
      metadata.labels = { colour: "blue" };
    });
    await until(async () => (await storage())?.metadata.labels?.colour === "blue");
    expect((await storage())?.metadata.labels).toEqual({ colour: "blue" });
    await client.delete(claims, at);
    await until(async () => (await client.find(claims, at)) === undefined);
    await end();
  });
}, 60_000);
