import { generateSigningKey } from "@rune/operator/credentials/keys";
import { loaderToken } from "@rune/operator/credentials/loader-token";
import { describe, expect, it } from "vitest";
import { baseDigest } from "./testing/fixtures.ts";
import { sidecarBed, slots } from "./testing/sidecar-bed.ts";

const bed = sidecarBed();
const { ask, inFlight } = bed;

describe("the admin port", () => {
  const state = (token: string) =>
    fetch(`http://127.0.0.1:${bed.sidecar.ports.admin}/state`, { headers: token ? { authorization: `Bearer ${token}` } : {} }).then(
      (answer) => answer.status,
    );

  it("lets only the operator in, with a fresh token for this pod", async () => {
    expect(await state(await loaderToken(bed.key, "pod", Date.now()))).toBe(200);
    expect(await state(await loaderToken(bed.key, "another pod", Date.now()))).toBe(401);
    expect(await state(await loaderToken(bed.key, "pod", Date.now() - 10 * 60_000))).toBe(401);
    expect(await state(await loaderToken(await generateSigningKey(), "pod", Date.now()))).toBe(401);
    expect(await state("")).toBe(401);
    expect(await state("nonsense")).toBe(401);
  });

  it("tells the engine's state", async () => {
    expect((await bed.admin.state()).engine).toMatchObject({
      ready: true,
      baseDigest,
      slots,
      maxRank: 8,
      bootID: expect.stringMatching(/^1\d+/),
    });
  });
});

it("drains before it ends: open requests are answered, new ones refused", async () => {
  const release = bed.engine.hold();
  const open = ask("tiny");
  await expect.poll(inFlight).toBe("1");
  const stopping = bed.sidecar.stop();
  expect((await ask("tiny")).status).toBe(503);
  release();
  expect((await open).status).toBe(200);
  await stopping;
});

it("lets the engine's preStop hook wait for open requests, and opens again for the next engine", async () => {
  const release = bed.engine.hold();
  const open = ask("tiny");
  await expect.poll(inFlight).toBe("1");
  const draining = fetch(`http://127.0.0.1:${bed.sidecar.ports.metrics}/drain`);
  await expect.poll(async () => (await ask("tiny")).status).toBe(503);
  release();
  expect((await open).status).toBe(200);
  expect(await (await draining).text()).toBe("0 requests are left\n");
  await bed.engine.restart();
  await expect.poll(async () => (await ask("tiny")).status).toBe(200);
});
