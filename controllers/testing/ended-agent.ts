import { Registry } from "@rune/clients/registry/registry";
import type { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Services } from "../shared/services.ts";
import { config } from "./objects.ts";

/** Services of a session's controller whose agent has written these records, and whose registry retries at once. */
export const servicesAfter = (records: readonly LogRecord[], registry: () => MemoryRegistry): Services =>
  ({
    config,
    registry: () => new Registry({ url: registry().url, clock: { now: () => Date.now(), wait: async () => undefined, random: () => 0 } }),
    runnerToken: () => "token",
    logs: { readLog: async () => ({ records, lastSequence: records.length }) },
    onNotice: () => undefined,
  }) as unknown as Services;
