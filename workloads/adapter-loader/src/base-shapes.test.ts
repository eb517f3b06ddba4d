import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBaseShapes } from "./base-shapes.ts";
import { hidden, inner, safetensors, type TestTensor, writeBase } from "./testing/fixtures.ts";

const sizes = { hidden_size: 64, intermediate_size: 96, num_attention_heads: 4, num_key_value_heads: 2 };

/** Shapes of a base with these tensors in its first layer. */
async function shapesOf(tensors: Record<string, TestTensor>, config: object | undefined): Promise<Record<string, [number, number]>> {
  const directory = await mkdtemp(join(tmpdir(), "rune-base-"));
  const named = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`model.layers.0.${name}`, tensor]));
  await writeFile(join(directory, "model.safetensors"), safetensors({ ...named, "lm_head.weight": { shape: [2, 64] } }));
  if (config) await writeFile(join(directory, "config.json"), JSON.stringify(config));
  return Object.fromEntries(Object.entries(await readBaseShapes(directory)).map(([name, shape]) => [name.split(".").at(-1), shape]));
}
const asked = { k_proj: [64, 32], down_proj: [96, 64] };

it("reads the linear layers of the base from its weights", async () => {
  const directory = await mkdtemp(join(tmpdir(), "rune-base-"));
  await writeBase(directory);
  expect(await readBaseShapes(directory)).toEqual({
    "model.layers.0.self_attn.q_proj": [hidden, hidden],
    "model.layers.0.mlp.down_proj": [inner, hidden],
    "model.layers.1.self_attn.q_proj": [hidden, hidden],
    "model.layers.1.mlp.down_proj": [inner, hidden],
  });
});

describe("knows the layers of a base quantized with", () => {
  const quantized = (quantization_config: object) => ({ ...sizes, quantization_config });

  it("AWQ", async () => {
    const tensors = {
      ...{ "self_attn.k_proj.qweight": words(64, 4), "self_attn.k_proj.qzeros": words(1, 4), "self_attn.k_proj.scales": halves(1, 32) },
      ...{ "mlp.down_proj.qweight": words(96, 8), "mlp.down_proj.qzeros": words(1, 8), "mlp.down_proj.scales": halves(1, 64) },
    };
    expect(await shapesOf(tensors, quantized({ quant_method: "awq", bits: 4, group_size: 128 }))).toEqual(asked);
    expect(await shapesOf(tensors, quantized({ quant_method: "awq", w_bit: 4 }))).toEqual(asked);
  });

  it.each([2, 3, 4, 8])("GPTQ in %s bits", async (bits) => {
    const tensors = {
      ...{ "self_attn.k_proj.qweight": words((64 * bits) / 32, 32), "self_attn.k_proj.g_idx": { shape: [64], dtype: "I32" as const } },
      "mlp.down_proj.qweight": words((96 * bits) / 32, 64),
    };
    expect(await shapesOf(tensors, quantized({ quant_method: "gptq", bits }))).toEqual(asked);
  });

  it.each([
    ["words", words(32, 8), words(64, 12)],
    ["bytes", bytes(32, 32), bytes(64, 48)],
  ])("compressed-tensors, packed into %s", async (_what, keys, down) => {
    const tensors = {
      ...{ "self_attn.k_proj.weight_packed": keys, "self_attn.k_proj.weight_shape": { shape: [2], dtype: "I32" as const } },
      ...{ "mlp.down_proj.weight_packed": down, "mlp.down_proj.weight_scale": halves(64, 1) },
    };
    const config = quantized({ quant_method: "compressed-tensors", config_groups: { group_0: { weights: { num_bits: 4 } } } });
    expect(await shapesOf(tensors, config)).toEqual(asked);
  });

  it.each([
    ["compressed-tensors in 8 bits", "compressed-tensors", "I8"],
    ["fp8", "fp8", "F8_E4M3"],
  ] as const)("%s", async (_what, quant_method, dtype) => {
    const tensors = {
      ...{ "self_attn.k_proj.weight": { shape: [32, 64], dtype }, "self_attn.k_proj.weight_scale": { shape: [32, 1] } },
      "mlp.down_proj.weight": { shape: [64, 96], dtype },
    };
    expect(await shapesOf(tensors, quantized({ quant_method }))).toEqual(asked);
  });

  it("bitsandbytes in 4 bits, from the sizes in config.json", async () => {
    const tensors = {
      ...{ "self_attn.k_proj.weight": bytes(1024, 1), "self_attn.k_proj.weight.absmax": { shape: [32], dtype: "F32" as const } },
      "mlp.down_proj.weight": bytes(3072, 1),
    };
    expect(await shapesOf(tensors, quantized({ quant_method: "bitsandbytes", load_in_4bit: true }))).toEqual(asked);
    expect(await shapesOf(tensors, { text_config: quantized({ quant_method: "bitsandbytes" }) })).toEqual(asked);
  });
});

describe("refuses by name", () => {
  const packed = { "self_attn.k_proj.qweight": words(64, 4) };
  it.each([
    ["a method that isn't known", packed, { quantization_config: { quant_method: "aqlm" } }, "quantized with aqlm"],
    ["a method whose bits are of no known kind", packed, { quantization_config: { quant_method: "hqq", bits: 1.58 } }, "with hqq"],
    ["a method without a name", packed, { quantization_config: {} }, "no method that it names"],
    ["packed weights without a word about them", packed, sizes, "quantization_config with quant_method and bits is needed"],
    ["packed weights without a config.json", packed, undefined, "quantization_config with quant_method and bits is needed"],
    [
      "sides that don't come out whole",
      { "a.b.qweight": words(5, 7) },
      { quantization_config: { quant_method: "gptq", bits: 3 } },
      "[5,7]",
    ],
    ["bytes without the sizes of layers", { "mlp.up_proj.weight": bytes(9, 1) }, {}, "hidden_size"],
    ["bytes of a layer with another name", { "self_attn.qkv_proj.weight": bytes(9, 1) }, sizes, "qkv_proj is packed"],
  ] as [string, Record<string, TestTensor>, object | undefined, string][])("%s", async (_what, tensors, config, said) => {
    await expect(shapesOf(tensors, config)).rejects.toMatchObject({
      name: "QuantizationUnsupported",
      message: expect.stringContaining(said),
    });
  });
});

function words(...shape: number[]): TestTensor {
  return { shape, dtype: "I32" };
}
function bytes(...shape: number[]): TestTensor {
  return { shape, dtype: "U8" };
}
function halves(...shape: number[]): TestTensor {
  return { shape, dtype: "F16" };
}
