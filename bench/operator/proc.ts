import { readFileSync } from "node:fs";

/** The kernel's unit of CPU time in /proc (USER_HZ): 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** CPU time of a process and of its children that have ended, from the text of /proc/<pid>/stat. */
export function cpuMilliseconds(stat: string): number {
  // The name, in parentheses, may contain anything; the third field follows the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number);
  return (((user ?? 0) + (system ?? 0) + (childrenUser ?? 0) + (childrenSystem ?? 0)) * 1000) / ticksPerSecond;
}

/** How long a core has been busy since the machine started, with any process, from the text of /proc/stat. */
export function busyMilliseconds(stat: string, core: string): number {
  const line = stat.split("\n").find((one) => one.startsWith(`cpu${core} `));
  if (!line) throw new Error(`/proc/stat has no core ${core}`);
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0, stolen = 0] = line.split(/\s+/).slice(1).map(Number);
  return ((user + nice + system + interrupts + softInterrupts + stolen) * 1000) / ticksPerSecond;
}

export function coreBusyMilliseconds(core: string): number {
  return busyMilliseconds(readFileSync("/proc/stat", "utf8"), core);
}

/** A field of /proc/<pid>/status that is given in kB, in MiB. */
export function mebibytes(status: string, field: "VmRSS" | "VmHWM"): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status);
  if (!found) throw new Error(`${field} is not in /proc/<pid>/status: has the process ended?`);
  return Number(found[1]) / 1024;
}

export interface Usage {
  readonly cpuMilliseconds: number;
  readonly rssMebibytes: number;
  readonly peakMebibytes: number;
}

export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return {
    cpuMilliseconds: cpuMilliseconds(readFileSync(`/proc/${pid}/stat`, "utf8")),
    rssMebibytes: mebibytes(status, "VmRSS"),
    peakMebibytes: mebibytes(status, "VmHWM"),
  };
}

/** Microseconds of the machine's monotonic clock: the same in every process on it. */
export function monotonicMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
