import { readFile } from "node:fs/promises";
import { exit, specPath } from "@rune/crds/job-spec";
import { loaderConfig } from "@rune/crds/loader-api";
import { pino } from "pino";
import type { Environment } from "./environment.ts";
import { startSidecar } from "./sidecar.ts";

/** Runs until SIGTERM; gives the exit code. */
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
  const parsed = loaderConfig.safeParse(JSON.parse(await readFile(specPath, "utf8")));
  if (!parsed.success) {
    log.error({ problem: parsed.error.message }, `${specPath} is not a loader's configuration`);
    return exit.misconfigured;
  }
  const sidecar = await startSidecar(parsed.data, { podUID, log });
  log.info(sidecar.ports, "listening");
  log.info({ signal: await ended }, "draining");
  await sidecar.stop();
  return exit.done;
}
