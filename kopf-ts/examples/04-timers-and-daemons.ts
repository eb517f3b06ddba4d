/** What runs beside an object: a timer that counts, and a daemon that runs as long as the object is watched. */
import { Operator, resource, TemporaryError } from "kopf-ts";

const heartbeats = resource({ group: "examples.kopf-ts.dev", version: "v1", kind: "Heartbeat", plural: "heartbeats" });
const operator = new Operator();

operator.timer(heartbeats, { id: "beats", interval: 0.2, when: ({ spec }) => !spec?.paused }, ({ memo }) => {
  memo.beats = (memo.beats ?? 0) + 1;
  return memo.beats;
});

operator.daemon(heartbeats, { id: "sentinel", labels: { watched: true }, backoff: 0.1 }, async ({ client, body, signal, retry }) => {
  if (retry === 0) throw new TemporaryError("the first connection always fails here", { delay: 0.1 });
  const say = (phase: string) => client.status.patch(heartbeats, body.metadata, { status: { sentinel: phase } });
  await say("on duty");
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await say("off duty");
});

await operator.run();
