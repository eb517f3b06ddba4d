import { z } from "zod";

/** The base's weights are packed in a way whose layers aren't known here, so adapters can't be checked against them. */
export class QuantizationUnsupported extends Error {
  override readonly name = "QuantizationUnsupported";
}

/** Inputs and outputs of a linear layer. */
export type Shape = [number, number];
/** Packed values of one layer: which tensor holds them, and its sides. */
export type Packed = { suffix: string; dtype: string; shape: readonly number[] };

const bits = z.union([z.literal(2), z.literal(3), z.literal(4), z.literal(8)]);
const groups = z.record(z.string(), z.object({ weights: z.object({ num_bits: bits }).nullish() }));
const settings = z.object({
  quant_method: z.string().optional().catch(undefined),
  bits: bits.optional().catch(undefined),
  w_bit: bits.optional().catch(undefined),
  config_groups: groups.optional().catch(undefined),
});
export type Quantization = z.infer<typeof settings>;

/**
 * How config.json describes the packing of the weights; some configurations nest it one level down. Undefined for plain
 * weights.
 */
export function quantizationOf(config: unknown): Quantization | undefined {
  const found = z.object({ quantization_config: settings }).safeParse(config);
  if (found.success) return found.data.quantization_config;
  const below = z.object({ text_config: z.object({ quantization_config: settings }) }).safeParse(config);
  return below.success ? below.data.text_config.quantization_config : undefined;
}

const known = ["awq", "gptq", "compressed-tensors", "fp8", "fbgemm_fp8", "bitsandbytes"];
const advice = `use the model without quantization, or quantized with one of ${known.join(", ")}`;

/** Throws `QuantizationUnsupported` for a method whose layers aren't known. */
export function checkMethod(quantization: Quantization | undefined): void {
  const method = quantization?.quant_method;
  if (quantization && (method === undefined || !known.includes(method)))
    throw new QuantizationUnsupported(
      `the base's config.json says that its weights are quantized with ${method?.slice(0, 63) ?? "no method that it names"}, whose layers are not known here, so no adapter could be checked; ${advice}`,
    );
}

/** Tensors that hold the packed values of a linear layer, and how to read its shape from theirs. */
const layouts: Readonly<Record<string, (tensor: Packed, quantization: Quantization) => Shape | undefined>> = {
  // awq packs the outputs of [inputs, outputs] into words of 32 bits, gptq the inputs
  qweight: ({ shape: [rows = 0, columns = 0] }, { quant_method, bits: given, w_bit }) => {
    const width = given ?? w_bit;
    if (!width) return undefined;
    if (quant_method === "awq") return [rows, (columns * 32) / width];
    return quant_method === "gptq" ? [(rows * 32) / width, columns] : undefined;
  },
  // compressed-tensors packs the inputs of [outputs, inputs]: into words, or for 4-bit floats two into a byte
  weight_packed: ({ dtype, shape: [rows = 0, columns = 0] }, { quant_method, config_groups }) => {
    if (quant_method !== "compressed-tensors") return undefined;
    const widths = new Set(Object.values(config_groups ?? {}).flatMap(({ weights }) => weights?.num_bits ?? []));
    const [width] = widths;
    if (widths.size !== 1 || !width) return undefined;
    return [(columns * (dtype === "U8" ? 8 : 32)) / width, rows];
  },
};
export const packedSuffixes = Object.keys(layouts);

/** The shape of a packed layer; throws `QuantizationUnsupported` when the model doesn't describe it sufficiently. */
export function unpackedShape(module: string, tensor: Packed, quantization: Quantization | undefined): Shape {
  const shape = quantization && layouts[tensor.suffix]?.(tensor, quantization);
  if (!shape?.every((side) => Number.isInteger(side) && side > 0))
    throw new QuantizationUnsupported(
      `the base has packed weights (${module}.${tensor.suffix}, [${tensor.shape}] of ${tensor.dtype}), and its config.json doesn't say how to read them: quantization_config with quant_method and bits is needed; add it, or ${advice}`,
    );
  return shape;
}
