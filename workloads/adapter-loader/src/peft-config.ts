import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import { z } from "zod";
import { Refused } from "./refused.ts";

/** The parts of PEFT's configuration that decide what is computed. */
const loraConfig = z.looseObject({
  peft_type: z.literal("LORA"),
  r: z.number().int(),
  lora_alpha: z.number(),
  target_modules: z.array(z.string()).min(1),
});

/**
 * Initialisations that only choose where training starts. The others (pissa, olora, loftq, corda, lora_ga, …) change
 * the base while the adapter is trained, so that on the unchanged base it computes something else. Source: PEFT 0.21,
 * `LoraConfig.init_lora_weights`.
 */
const plainInitialisations: readonly unknown[] = [true, false, "gaussian", "eva", "orthogonal"];

type Harmless = (value: unknown) => boolean;
const anything: Harmless = () => true;
const oneOf =
  (values: readonly unknown[]): Harmless =>
  (value) =>
    values.includes(value);

/** Values that don't change what a trained plain LoRA computes. */
const harmless: Readonly<Record<string, Harmless>> = {
  ...Object.fromEntries(Object.keys(loraConfig.shape).map((key) => [key, anything])),
  // provenance and kind
  auto_mapping: anything,
  base_model_name_or_path: anything,
  peft_version: anything,
  revision: anything,
  task_type: anything,
  // training only
  eva_config: anything,
  inference_mode: anything,
  lora_dropout: anything,
  runtime_config: anything,
  // which layers it has: the weights themselves show it
  exclude_modules: anything,
  layers_pattern: anything,
  layers_to_transform: anything,
  // parts of methods that other keys switch on
  megatron_core: anything,
  qalora_group_size: anything,
  // the engine computes these as PEFT does
  use_rslora: oneOf([true, false]),
  bias: oneOf(["none"]),
  init_lora_weights: oneOf(plainInitialisations),
};

/**
 * Throws `Refused` unless it is a plain LoRA of the artifact's rank, alpha and modules: an unknown key must be empty.
 */
export function checkPeftConfig(text: string, config: AdapterConfig): void {
  const content = parse(text);
  refusePattern(content, config);
  const parsed = loraConfig.safeParse(content);
  if (!parsed.success)
    throw new Refused("NotAnAdapter", `adapter_config.json is not one of a LoRA adapter: ${z.prettifyError(parsed.error)}`);
  const { data } = parsed;
  const unsupported = Object.entries(data).filter(([key, value]) => !isEmpty(value) && !isHarmless(key, value));
  if (unsupported.length > 0)
    throw new Refused(
      "NotAnAdapter",
      `adapter_config.json asks for ${told(unsupported)}, which is not supported: the adapter would compute something else here than where it was trained; train without, or convert it to a plain LoRA with PEFT (save_pretrained with path_initial_model_for_weight_conversion)`,
    );
  const said = `rank ${config.rank}, alpha ${config.alpha}, modules ${names(config.targetModules)}`;
  const found = `rank ${data.r}, alpha ${data.lora_alpha}, modules ${names(data.target_modules)}`;
  if (said !== found) throw new Refused("NotAnAdapter", `adapter_config.json says ${found}, the artifact's config ${said}`);
}

/** PEFT takes a pattern or `all-linear` in place of names, which stand for other modules in another base. */
function refusePattern(content: unknown, { targetModules }: AdapterConfig): void {
  const { success, data } = z.looseObject({ target_modules: z.string() }).safeParse(content);
  if (success)
    throw new Refused(
      "NotAnAdapter",
      `adapter_config.json has target_modules: ${brief(JSON.stringify(data.target_modules))}; write them out, as ${JSON.stringify(targetModules)}`,
    );
}

const isHarmless = (key: string, value: unknown) => Object.hasOwn(harmless, key) && harmless[key]?.(value) === true;

function isEmpty(value: unknown): boolean {
  return value === null || value === false || value === "" || (typeof value === "object" && Object.keys(value).length === 0);
}

/** Keys with their values, shortened to fit a sentence. */
function told(entries: readonly [string, unknown][]): string {
  const words = entries.map(([key, value]) => `${key.slice(0, 63)}: ${brief(JSON.stringify(value))}`);
  return words.length > 5 ? `${words.slice(0, 5).join(", ")} and ${words.length - 5} more` : words.join(", ");
}

const brief = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

export function names(modules: readonly string[]): string {
  return [...new Set(modules)].sort().join(",");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
