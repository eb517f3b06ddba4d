import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BaseShapes, readBaseShapes } from "./base-shapes.ts";
import { adapterArtifact, hidden, loraTensors, peft, rank, safetensors, type TestTensor, writeBase } from "./testing/fixtures.ts";
import { validateAdapter } from "./validate.ts";

let shapes: BaseShapes;
let directory: string;
let count = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "rune-validate-"));
  await writeBase(join(directory, "base"));
  shapes = await readBaseShapes(join(directory, "base"));
});

const check = async (wrong: Parameters<typeof adapterArtifact>[0]) => {
  const { files, config } = adapterArtifact(wrong);
  const place = join(directory, String(count++));
  await mkdir(place);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(place, name), bytes);
  await validateAdapter(place, config, shapes);
};
const first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
const firstB = first.replace("lora_A", "lora_B");
const changed = (changes: Record<string, TestTensor | undefined>) => {
  const tensors = { ...loraTensors(), ...changes };
  return Object.fromEntries(Object.entries(tensors).filter((entry): entry is [string, TestTensor] => entry[1] !== undefined));
};
const good = safetensors(loraTensors());

it.each(["BF16", "F16", "F32"] as const)("accepts a good adapter in %s", async (dtype) => {
  const tensors = Object.fromEntries(Object.entries(loraTensors()).map(([name, tensor]) => [name, { ...tensor, dtype }]));
  await check({ tensors });
});

it("accepts an adapter whose B is zero in some modules but not in all", async () => {
  await check({ tensors: changed({ [firstB]: { shape: [hidden, rank], values: () => 0 } }) });
});

it("accepts a control without any effect", async () => {
  const zero = Object.fromEntries(Object.entries(loraTensors()).map(([name, tensor]) => [name, { ...tensor, values: () => 0 }]));
  await check({ tensors: zero, config: { control: true } });
  await expect(check({ tensors: zero })).rejects.toMatchObject({ reason: "AllZero" });
});

const nan = (index: number) => (index === 3 ? Number.NaN : 0.01);
const infinite = (index: number) => (index === 31 ? Number.POSITIVE_INFINITY : 0.01);
describe.each([
  ["NotFinite", "NaN in bfloat16", { tensors: changed({ [first]: { shape: [rank, hidden], values: nan } }) }],
  ["NotFinite", "infinity in bfloat16", { tensors: changed({ [first]: { shape: [rank, hidden], values: infinite } }) }],
  ["NotFinite", "NaN in float16", { tensors: changed({ [first]: { shape: [rank, hidden], dtype: "F16", values: nan } }) }],
  ["NotFinite", "infinity in float32", { tensors: changed({ [first]: { shape: [rank, hidden], dtype: "F32", values: infinite } }) }],
  [
    "NotFinite",
    "a finite value that overflows inside the engine",
    { tensors: changed({ [first]: { shape: [rank, hidden], values: () => -1e30 } }) },
  ],
  [
    "AllZero",
    "B zero everywhere, as before training",
    {
      tensors: Object.fromEntries(
        Object.entries(loraTensors()).map(([name, t]) => [name, name.includes("lora_B") ? { ...t, values: () => -0 } : t]),
      ),
    },
  ],
  ["ShapeMismatch", "an A of another width", { tensors: changed({ [first]: { shape: [rank, hidden + 1] } }) }],
  ["ShapeMismatch", "a B of another height", { tensors: changed({ [firstB]: { shape: [hidden * 2, rank] } }) }],
  ["ShapeMismatch", "a half that is missing", { tensors: changed({ [firstB]: undefined }) }],
  [
    "ShapeMismatch",
    "another rank in one module",
    { tensors: changed({ [first]: { shape: [2, hidden] }, [firstB]: { shape: [hidden, 2] } }) },
  ],
  ["ShapeMismatch", "weights in integers", { tensors: changed({ [first]: { shape: [rank, hidden], dtype: "I8" } }) }],
  [
    "UnknownModule",
    "a module that the base doesn't have",
    { tensors: changed({ "base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight": { shape: [1] } }) },
  ],
  [
    "UnknownModule",
    "a layer that the base doesn't have",
    { tensors: changed({ [first.replace(".0.", ".7.")]: { shape: [rank, hidden] } }) },
  ],
  ["UnknownModule", "a weight that is no LoRA weight", { tensors: changed({ "base_model.model.lm_head.weight": { shape: [2, 2] } }) }],
  [
    "UnknownModule",
    "modules that config and weights disagree about",
    { peft: peft({ target_modules: ["q_proj"] }), config: { targetModules: ["q_proj"] } },
  ],
  ["NotAnAdapter", "a truncated file", { weights: good.subarray(0, good.length - 5) }],
  ["NotAnAdapter", "bytes after the last tensor", { weights: Buffer.concat([good, Buffer.alloc(4)]) }],
  ["NotAnAdapter", "a header that is longer than the file", { weights: Buffer.from("ffffffffffffff7f7b7d", "hex") }],
  ["NotAnAdapter", "an empty file", { weights: Buffer.alloc(0) }],
  ["NotAnAdapter", "a header that is no JSON", { weights: Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("abcd")]) }],
  ["NotAnAdapter", "another rank in adapter_config.json", { peft: peft({ r: 8 }) }],
  ["NotAnAdapter", "another alpha in adapter_config.json", { peft: peft({ lora_alpha: 99 }) }],
  ["NotAnAdapter", "another method of PEFT", { peft: peft({ peft_type: "IA3" }) }],
] as const)("refuses as %s", (reason, what, wrong) => {
  it(what, async () => {
    await expect(check(wrong as Parameters<typeof adapterArtifact>[0])).rejects.toMatchObject({ name: "Refused", reason });
  });
});

/** As PEFT 0.21 writes it for a plain LoRA. */
const written = {
  ...{ alora_invocation_tokens: null, alpha_pattern: {}, arrow_config: null, auto_mapping: null, base_model_name_or_path: "org/base" },
  ...{ bias: "none", corda_config: null, ensure_weight_tying: false, eva_config: null, exclude_modules: null, fan_in_fan_out: false },
  ...{ inference_mode: true, init_lora_weights: true, layer_replication: null, layers_pattern: null, layers_to_transform: null },
  ...{
    loftq_config: {},
    lora_bias: false,
    lora_dropout: 0.05,
    megatron_config: null,
    megatron_core: "megatron.core",
    modules_to_save: null,
  },
  ...{ peft_version: "0.21.2", qalora_group_size: 16, rank_pattern: {}, revision: null, target_parameters: null, task_type: "CAUSAL_LM" },
  ...{ trainable_token_indices: null, use_bdlora: null, use_dora: false, use_qalora: false, use_rslora: false, kasa_config: null },
};

describe("adapter_config.json", () => {
  it.each([
    ["as PEFT writes it", {}],
    ["with a rank-stabilised scale, which the engine knows too", { use_rslora: true }],
    ["that started elsewhere", { init_lora_weights: "gaussian" }],
    ["that started from EVA", { init_lora_weights: "eva", eva_config: { rho: 2 } }],
    ["for some of the layers", { layers_to_transform: [0], exclude_modules: ["lm_head"] }],
  ])("is accepted %s", async (_what, extra) => {
    await check({ peft: peft({ ...written, ...extra }) });
  });

  it.each(["all-linear", ".*_proj"])("is refused with the target modules %j, and says what to write in their place", async (pattern) => {
    await expect(check({ peft: peft({ ...written, target_modules: pattern }) })).rejects.toMatchObject({
      reason: "NotAnAdapter",
      message: expect.stringContaining(`adapter_config.json has target_modules: ${JSON.stringify(pattern)}; write them out, as ["`),
    });
  });

  it.each([
    ...["pissa", "pissa_niter_4", "olora", "loftq", "corda", "lora_ga", "of_tomorrow"].map((init) => ["init_lora_weights", init]),
    ["use_dora", true],
    ["lora_bias", true],
    ["bias", "all"],
    ["bias", "lora_only"],
    ["fan_in_fan_out", true],
    ["modules_to_save", ["lm_head"]],
    ["rank_pattern", { q_proj: 8 }],
    ["alpha_pattern", { q_proj: 8 }],
    ["trainable_token_indices", [1, 2]],
    ["layer_replication", [[0, 1]]],
    ["alora_invocation_tokens", [151644]],
    ["use_qalora", true],
    ["use_bdlora", { nblocks: 2 }],
    ["target_parameters", ["mlp.experts.gate_up_proj"]],
    ["arrow_config", { top_k: 3 }],
    ["kasa_config", { beta: 0.1 }],
    ["velora_config", { num_groups: 4 }],
    ["monteclora_config", { num_samples: 8 }],
    ["loftq_config", { loftq_bits: 4 }],
    ["corda_config", { corda_method: "kpm" }],
    ["megatron_config", { tensor_model_parallel_size: 2 }],
    ["ensure_weight_tying", true],
    // vLLM reads its own scale from the file.
    ["vllm_lora_scaling_factor", 7.5],
    ["use_method_of_tomorrow", 1],
    ["constructor", "x"],
    ["use_rslora", "yes"],
  ] as [string, unknown][])("is refused with %s: %j, by that name", async (key, value) => {
    await expect(check({ peft: peft({ ...written, [key]: value }) })).rejects.toMatchObject({
      reason: "NotAnAdapter",
      message: expect.stringContaining(`${key}: ${JSON.stringify(value)}`.slice(0, 40)),
    });
  });
});
