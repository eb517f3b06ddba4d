import { expect, test } from "vitest";
import { busyMilliseconds, cpuMilliseconds, mebibytes, monotonicMicroseconds, usageOf } from "./proc.ts";

test("CPU time is read past a program name with spaces and parentheses, children included", () => {
  const stat = "42 (a ) b) S 1 42 42 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 100 1000 10";
  expect(cpuMilliseconds(stat)).toBe(2500);
});

test("memory is read in MiB, and a process that has ended is told from one that uses none", () => {
  expect(mebibytes("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n", "VmRSS")).toBe(1);
  expect(() => mebibytes("Name:\tx\nState:\tZ (zombie)\n", "VmRSS")).toThrow("has the process ended");
});

test("this process's own usage can be read", () => {
  const usage = usageOf(process.pid);
  expect(usage.rssMebibytes).toBeGreaterThan(10);
  expect(usage.peakMebibytes).toBeGreaterThanOrEqual(usage.rssMebibytes - 1);
  expect(monotonicMicroseconds()).toBeLessThan(Number.MAX_SAFE_INTEGER);
});

test("a core is busy with everything but idling and waiting for disks", () => {
  const stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 10 20 30 4000 500 1 2 7 3 0\ncpu10 1 1 1 1 1 1 1 1 0 0\n";
  expect(busyMilliseconds(stat, "1")).toBe(700);
  expect(() => busyMilliseconds(stat, "2")).toThrow("no core 2");
});
