import { z } from "zod";

/** Everything that this program reads from its environment; no other file of it reads process.env. */
const environment = z.object({
  POD_UID: z.string().min(1).max(64).optional(),
  /** Base URL of the Hugging Face hub or of a mirror of it. */
  HF_ENDPOINT: z.url().default("https://huggingface.co"),
  HF_TOKEN: z.string().optional(),
  /** URL of the HTTP proxy before the hub; the registry is never asked through it. */
  HTTPS_PROXY: z.url({ protocol: /^https?$/ }).optional(),
  /** Host names that are asked without it, with commas between them. */
  NO_PROXY: z.string().default(""),
  RUNE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
});
export type Environment = z.infer<typeof environment>;

export function readEnvironment(): Environment {
  return environment.parse(process.env);
}
