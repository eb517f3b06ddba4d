import { expect, test } from "vitest";
import { Ledger } from "./ledger.ts";

const widget = (revision: number, sentAt: number, seen?: number) => ({
  metadata: { name: "a", uid: "u", resourceVersion: "1" },
  spec: { revision, sentAt },
  ...(seen === undefined ? {} : { status: { revision: seen } }),
});

test("a revision is answered once, when the status first names it", () => {
  const ledger = new Ledger();
  ledger.see(widget(1, 100), 150);
  ledger.see(widget(1, 100, 1), 200);
  ledger.see(widget(1, 100, 1), 300);
  expect(ledger.times).toEqual({ sentAt: [100], answeredAt: [200] });
  expect(ledger.oldestOpen).toBeUndefined();
});

test("a status that jumps over revisions answers all of them", () => {
  const ledger = new Ledger();
  ledger.see(widget(1, 100), 110);
  ledger.see(widget(2, 120), 130);
  ledger.see(widget(3, 140), 150);
  expect(ledger.oldestOpen).toBe(100);
  ledger.see(widget(3, 140, 2), 200);
  expect(ledger.answered).toBe(2);
  expect(ledger.oldestOpen).toBe(140);
  ledger.see(widget(3, 140, 3), 210);
  expect(ledger.times.sentAt).toEqual([100, 120, 140]);
});

test("forgetting counts again and keeps what is open; a widget that is gone is owed nothing", () => {
  const ledger = new Ledger();
  ledger.see(widget(1, 100), 110);
  ledger.forget();
  ledger.see(widget(1, 100, 1), 120);
  expect(ledger.answered).toBe(1);
  ledger.see(widget(2, 130, 1), 140);
  ledger.keepOnly(new Set(["u"]));
  expect(ledger.oldestOpen).toBe(130);
  ledger.keepOnly(new Set());
  expect(ledger.oldestOpen).toBeUndefined();
});
