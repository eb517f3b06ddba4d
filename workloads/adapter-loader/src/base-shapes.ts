import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { floatTypes, readHeader } from "./safetensors.ts";

/** Inputs and outputs of every linear layer inside the transformer's layers, by module path such as `model.layers.0.self_attn.q_proj`. */
export const baseShapes = z.record(z.string(), z.tuple([z.number().int().min(1), z.number().int().min(1)]));
export type BaseShapes = z.infer<typeof baseShapes>;

const layer = /\.layers\.\d+\..+\.weight$/;
const projection = /^(.*\.layers\.\d+)\.(self_attn|mlp)\.\w+_proj$/;

/** Shapes from the headers of all safetensors files; those of packed (quantised) weights from config.json, because they aren't in the header. */
export async function readBaseShapes(directory: string): Promise<BaseShapes> {
  const files = (await readdir(directory)).filter((name) => name.endsWith(".safetensors")).sort();
  const shapes: Record<string, [number, number]> = {};
  let packed = false;
  for (const name of files) {
    for (const tensor of (await readHeader(join(directory, name))).tensors) {
      if (!layer.test(tensor.name)) continue;
      const module = tensor.name.slice(0, -".weight".length);
      const [outputs, inputs] = tensor.shape;
      if (tensor.shape.length === 2 && floatTypes.includes(tensor.dtype) && outputs && inputs) shapes[module] = [inputs, outputs];
      else if (projection.test(module)) {
        packed = true;
        shapes[module] = [0, 0];
      }
    }
  }
  return packed ? await withConfig(shapes, join(directory, "config.json")) : shapes;
}

const attention = z.object({
  hidden_size: z.number().int(),
  intermediate_size: z.number().int(),
  num_attention_heads: z.number().int(),
  num_key_value_heads: z.number().int().optional(),
  head_dim: z.number().int().nullish(),
});
/** Some configurations keep the language model's part one level down. */
const modelConfiguration = z.union([attention, z.object({ text_config: attention }).transform((config) => config.text_config)]);

async function withConfig(shapes: Record<string, [number, number]>, path: string): Promise<BaseShapes> {
  const config = modelConfiguration.parse(JSON.parse(await readFile(path, "utf8")));
  const { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads } = config;
  const width = config.head_dim ?? hidden / heads;
  const keys = (config.num_key_value_heads ?? heads) * width;
  const known: Record<string, [number, number]> = {
    ...{ q_proj: [hidden, heads * width], k_proj: [hidden, keys], v_proj: [hidden, keys], o_proj: [heads * width, hidden] },
    ...{ gate_proj: [hidden, inner], up_proj: [hidden, inner], down_proj: [inner, hidden] },
  };
  const found = Object.entries(shapes).map(
    ([module, shape]) => [module, shape[0] ? shape : known[module.split(".").at(-1) ?? ""]] as const,
  );
  return Object.fromEntries(found.filter((each): each is [string, [number, number]] => each[1] !== undefined));
}
