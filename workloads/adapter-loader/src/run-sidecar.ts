import { readFile } from "node:fs/promises";
import { parseJSON } from "@rune/clients/http/json";
import { loaderConfig } from "@rune/crds/contracts/loader";
import { exit, specPath } from "@rune/crds/contracts/pod";
import { pino } from "pino";
import type { Environment } from "./environment.ts";
import { startSidecar } from "./sidecar.ts";

/** Runs until SIGTERM; returns the exit code. */
export async function runSidecar(environment: Environment): Promise<number> {
  const log = pino({ level: environment.RUNE_LOG_LEVEL, base: { program: "adapter-loader" } });
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
  const podUID = environment.POD_UID;
  if (!podUID) {
    log.error("POD_UID is not set; the pod must give it from its metadata.uid");
    return exit.misconfigured;
  }
  const text = await readFile(specPath).catch(() => Buffer.alloc(0));
  const parsed = loaderConfig.safeParse(parseJSON(text));
  if (!parsed.success) {
    log.error({ problem: parsed.error.message }, `${specPath} is missing or not a loader's configuration`);
    return exit.misconfigured;
  }
  const sidecar = await startSidecar(parsed.data, { podUID, log });
  log.info(sidecar.ports, "listening");
  log.info({ signal: await ended }, "draining");
  await sidecar.stop();
  return exit.done;
}
