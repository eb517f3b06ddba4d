import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJSON } from "@rune/clients/http/json";
import { z } from "zod";
import { checkMethod, packedSuffixes, QuantizationUnsupported, quantizationOf, type Shape, unpackedShape } from "./quantization.ts";
import { floatTypes, readHeader } from "./safetensors.ts";

/**
 * Inputs and outputs per linear layer of the transformer's layers, by module path such as
 * `model.layers.0.self_attn.q_proj`.
 */
export const baseShapes = z.record(z.string(), z.tuple([z.number().int().min(1), z.number().int().min(1)]));
export type BaseShapes = z.infer<typeof baseShapes>;

const layer = /^(.*\.layers\.\d+\..+)\.(\w+)$/;
const projection = /^(.*\.layers\.\d+)\.(self_attn|mlp)\.\w+_proj$/;
/** Types that hold one value of the weights in one element. */
const unpacked: readonly string[] = [...floatTypes, "F8_E4M3", "F8_E5M2", "I8"];

/**
 * Shapes from the headers of all safetensors files. For packed (quantized) weights config.json is needed too; throws
 * `QuantizationUnsupported` when it doesn't describe them.
 */
export async function readBaseShapes(directory: string): Promise<BaseShapes> {
  const files = (await readdir(directory)).filter((name) => name.endsWith(".safetensors")).sort();
  const config = parseJSON(await readFile(join(directory, "config.json")).catch(() => Buffer.alloc(0)));
  const quantization = quantizationOf(config);
  checkMethod(quantization);
  const shapes: Record<string, Shape> = {};
  const opaque: string[] = [];
  for (const name of files) {
    for (const { name: tensor, dtype, shape } of (await readHeader(join(directory, name))).tensors) {
      const [, module = "", suffix = ""] = layer.exec(tensor) ?? [];
      const [outputs, inputs] = shape;
      if (packedSuffixes.includes(suffix)) shapes[module] = unpackedShape(module, { suffix, dtype, shape }, quantization);
      else if (suffix === "weight" && shape.length === 2 && unpacked.includes(dtype) && outputs && inputs)
        shapes[module] = [inputs, outputs];
      else if (suffix === "weight" && projection.test(module)) opaque.push(module);
    }
  }
  return opaque.length > 0 ? { ...shapes, ...fromConfig(opaque, config) } : shapes;
}

const attention = z.object({
  hidden_size: z.number().int(),
  intermediate_size: z.number().int(),
  num_attention_heads: z.number().int(),
  num_key_value_heads: z.number().int().optional(),
  head_dim: z.number().int().nullish(),
});
/** Some configurations nest the language model's part one level down. */
const modelConfiguration = z.union([attention, z.object({ text_config: attention }).transform((config) => config.text_config)]);

/** bitsandbytes packs a layer into one column, which doesn't show its sides. */
function fromConfig(modules: readonly string[], document: unknown): BaseShapes {
  const parsed = modelConfiguration.safeParse(document);
  if (!parsed.success)
    throw new QuantizationUnsupported(
      `the base has packed weights (${modules[0]}), and its config.json doesn't say the sizes of its layers (hidden_size, intermediate_size, num_attention_heads); use the model without quantization`,
    );
  const { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads, num_key_value_heads, head_dim } = parsed.data;
  const width = head_dim ?? hidden / heads;
  const keys = (num_key_value_heads ?? heads) * width;
  const known: Readonly<Record<string, Shape>> = {
    ...{ q_proj: [hidden, heads * width], k_proj: [hidden, keys], v_proj: [hidden, keys], o_proj: [heads * width, hidden] },
    ...{ gate_proj: [hidden, inner], up_proj: [hidden, inner], down_proj: [inner, hidden] },
  };
  return Object.fromEntries(
    modules.map((module) => {
      const shape = known[module.split(".").at(-1) ?? ""];
      if (shape) return [module, shape];
      throw new QuantizationUnsupported(
        `the base's layer ${module} is packed, and its shape is not known here, so no adapter could be checked; use the model without quantization`,
      );
    }),
  );
}
