import { createServer } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { connectLog, NatsUnavailable } from "./log.ts";

/** A port of this machine at which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

test("a log whose NATS isn't reached says so once, goes on waiting, and gives up at the deadline", async () => {
  const url = `nats://127.0.0.1:${await freePort()}`;
  const asked: number[] = [];
  const said: string[] = [];
  // A thousandth of the time passes.
  const clock = {
    ...systemClock,
    wait: (milliseconds: number, signal?: AbortSignal) => {
      asked.push(milliseconds);
      return systemClock.wait(milliseconds / 1000, signal);
    },
  };
  const options = { url, credentials: "", stream: "sessions", subject: "rune.session.x", uid: "x", clock, deadline: clock.now() + 300_000 };
  await expect(connectLog({ ...options, onWait: (message) => said.push(message) })).rejects.toThrow(NatsUnavailable);
  expect(said).toEqual([expect.stringMatching(`NATS at ${url} isn't reached; waiting for it.*NetworkPolicy`)]);
  expect(asked).toHaveLength(2);
});
