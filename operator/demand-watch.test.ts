import { testClock } from "@rune/clients/testing/http-server";
import type { LoaderDemand } from "@rune/crds/contracts/loader";
import { expect, it } from "vitest";
import { DemandWatch } from "./demand-watch.ts";

const address = { ip: "10.0.0.1", podUID: "pod" };
const name = "tessera-0123456789abcdef";

/** A loader that responds when the test says so, and the requests that it got. */
function loaderByHand() {
  const asked: number[] = [];
  const open: { resolve: (seen: LoaderDemand) => void; reject: (error: Error) => void }[] = [];
  const wanted = (after: number) => {
    asked.push(after);
    return new Promise<LoaderDemand>((resolve, reject) => open.push({ resolve, reject }));
  };
  const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
  return {
    asked,
    wanted,
    say: async (seen: LoaderDemand) => {
      open.shift()?.resolve(seen);
      await settled();
    },
    fail: async () => {
      open.shift()?.reject(new Error("away"));
      await settled();
    },
  };
}

function watched() {
  const clock = testClock();
  const loader = loaderByHand();
  let woken = 0;
  const watch = new DemandWatch(() => loader, clock);
  return { clock, loader, woken: () => woken, follow: () => watch.follow(address, () => woken++) };
}

it("wakes when somebody wants what the loader doesn't hold, and goes on from there", async () => {
  const { loader, woken, follow } = watched();
  follow();
  await loader.say({ sequence: 1, wanted: [name] });
  await loader.say({ sequence: 1, wanted: [name] });
  expect([woken(), loader.asked]).toEqual([1, [0, 1, 1]]);
});

it("asks a loader once, however often it is followed, and pauses while it is unavailable", async () => {
  const { clock, loader, woken, follow } = watched();
  follow();
  follow();
  await loader.fail();
  expect([loader.asked, clock.waits, woken()]).toEqual([[0, 0], [5_000], 0]);
});

it("forgets a loader that nobody follows any more", async () => {
  const { clock, loader, follow } = watched();
  follow();
  await clock.wait(61_000);
  await loader.say({ sequence: 0, wanted: [] });
  expect(loader.asked).toEqual([0]);
  follow();
  expect(loader.asked).toEqual([0, 0]);
});
