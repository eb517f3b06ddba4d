import { expect, test } from "vitest";
import { growths, owed } from "./verdict.ts";

const widget = (name: string, revision: number, seen?: number, deletionTimestamp?: string) => ({
  metadata: { name, uid: name, resourceVersion: "1", ...(deletionTimestamp ? { deletionTimestamp } : {}) },
  spec: { revision },
  status: { revision: seen },
});
const child = (name: string, revision: number) => ({ metadata: { name }, data: { revision: String(revision) } });

test("nothing is owed when status and child say what the spec says", () => {
  expect(owed([widget("a", 3, 3)], [child("a", 3)])).toEqual([]);
});

test("a stale status, a stale child, a child without parent and a deletion that does not end are each found", () => {
  expect(
    owed(
      [widget("a", 3, 2), widget("b", 3, 3), widget("c", 1, 1), widget("d", 1, 1, "2026-01-01T00:00:00Z")],
      [child("a", 2), child("b", 2), child("e", 1)],
    ),
  ).toEqual([
    "a is at revision 2, not 3",
    "b's ConfigMap is at 2, not 3",
    "c's ConfigMap is at none, not 1",
    "d should be deleted but still exists",
    "e's ConfigMap exists, but e doesn't",
  ]);
});

test("growth is a slope over the time that counts, of processes that lived through it", () => {
  const samples = Array.from({ length: 121 }, (_, index) => index * 10).flatMap((seconds) => [
    { seconds, pid: 1, rssMebibytes: seconds < 600 ? 500 : 100 + (seconds - 600) / 60 },
    ...(seconds > 900 ? [{ seconds, pid: 2, rssMebibytes: seconds }] : []),
  ]);
  const [only, ...others] = growths(samples, 600);
  expect(others).toEqual([]);
  expect(only?.mebibytesPerMinute).toBeCloseTo(1);
  expect(only?.minutes).toBeCloseTo(10);
});
