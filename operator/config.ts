import { readFile } from "node:fs/promises";
import { type OperatorConfig, operatorConfig } from "@rune/controllers/shared/config";
import type { LogLevel } from "kopf-ts";
import { parse } from "yaml";
import { z } from "zod";

/** The operator's startup parameters. */
export interface Startup {
  readonly config: OperatorConfig;
  readonly logLevel: LogLevel;
  /** Metrics and probes. */
  readonly healthPort: number;
  readonly canaryPort: number;
  /** Where people get tokens for the registry. */
  readonly tokenPort: number;
}

const port = z.coerce.number().int().min(0).max(65535);
const environment = z.object({
  RUNE_CONFIG: z.string().default("/etc/rune/config.yaml"),
  RUNE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
  RUNE_HEALTH_PORT: port.default(8080),
  RUNE_CANARY_PORT: port.default(8099),
  RUNE_TOKEN_PORT: port.default(8082),
});

/** Reads the variables `RUNE_*` and the file that `RUNE_CONFIG` names. kopf-ts reads `KUBECONFIG`. */
export async function readStartup(variables: Readonly<Record<string, string | undefined>>): Promise<Startup> {
  const { RUNE_CONFIG, RUNE_LOG_LEVEL, RUNE_HEALTH_PORT, RUNE_CANARY_PORT, RUNE_TOKEN_PORT } = environment.parse(variables);
  const config = parseConfig(await readFile(RUNE_CONFIG, "utf8"), RUNE_CONFIG);
  return {
    config,
    logLevel: RUNE_LOG_LEVEL,
    healthPort: RUNE_HEALTH_PORT,
    canaryPort: RUNE_CANARY_PORT,
    tokenPort: RUNE_TOKEN_PORT,
  };
}

/** Throws for an invalid file, with one sentence per mistake. */
export function parseConfig(text: string, file: string): OperatorConfig {
  const parsed = operatorConfig.safeParse(parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${file} is not a valid configuration of the operator:\n${z.prettifyError(parsed.error)}`);
}
