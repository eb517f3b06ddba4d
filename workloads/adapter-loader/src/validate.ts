import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AdapterConfig, adapterFile } from "@rune/crds/contracts/artifact";
import type { BaseShapes } from "./base-shapes.ts";
import { checkPeftConfig, names } from "./peft-config.ts";
import { Refused } from "./refused.ts";
import { BadSafetensors, floatTypes, readHeader, type Safetensors, scan, type Tensor } from "./safetensors.ts";

/**
 * Everything that must be true of staged files before the engine may see them; throws `Refused`. The engine itself
 * returns 200 for wrong shapes, unknown modules and NaN, and one adapter with NaN corrupts every later answer.
 */
export async function validateAdapter(directory: string, config: AdapterConfig, shapes: BaseShapes): Promise<void> {
  checkPeftConfig(await readFile(join(directory, adapterFile.config), "utf8"), config);
  const weights = join(directory, adapterFile.weights);
  try {
    const file = await readHeader(weights);
    checkModules(file, config, shapes);
    await checkValues(weights, file, config.control === true);
  } catch (error) {
    if (error instanceof BadSafetensors)
      throw new Refused("NotAnAdapter", `${adapterFile.weights} is not a whole safetensors file: ${error.message}`, { cause: error });
    throw error;
  }
}

type Module = { path: string; a?: Tensor; b?: Tensor };
const tensorName = /^base_model\.model\.(.+\.layers\.\d+\.\w+(?:\.\w+)*)\.lora_(A|B)\.weight$/;

/** Every tensor is half of a pair for a linear layer that the base has, in the base's shape and with the adapter's rank. */
function checkModules(file: Safetensors, config: AdapterConfig, shapes: BaseShapes): void {
  const modules = new Map<string, Module>();
  for (const tensor of file.tensors) {
    const [, path, half] = tensorName.exec(tensor.name) ?? [];
    if (!path) throw new Refused("UnknownModule", `${tensor.name} is not a LoRA weight of a layer; nothing else can be loaded`);
    if (!floatTypes.includes(tensor.dtype))
      throw new Refused("ShapeMismatch", `${tensor.name} is ${tensor.dtype}; weights must be ${floatTypes.join(", ")}`);
    const module = modules.get(path) ?? { path };
    modules.set(path, { ...module, [half === "A" ? "a" : "b"]: tensor });
  }
  for (const module of modules.values()) checkModule(module, config.rank, shapes);
  const found = names([...modules.keys()].map((path) => path.split(".").at(-1) ?? path));
  if (found !== names(config.targetModules))
    throw new Refused(
      "UnknownModule",
      `the weights are for ${found || "no module"}, the artifact's config says ${names(config.targetModules)}`,
    );
}

function checkModule({ path, a, b }: Module, rank: number, shapes: BaseShapes): void {
  const shape = shapes[path];
  if (!shape) throw new Refused("UnknownModule", `the base model has no linear layer ${path}`);
  if (!a || !b) throw new Refused("ShapeMismatch", `${path} has only lora_${a ? "A" : "B"}; both halves are needed`);
  const [inputs, outputs] = shape;
  const said = `${a.shape} and ${b.shape}`;
  const needed = `${[rank, inputs]} and ${[outputs, rank]}`;
  if (said !== needed)
    throw new Refused("ShapeMismatch", `${path}: lora_A and lora_B are [${said}], the base and rank ${rank} need [${needed}]`);
}

/**
 * All finite and in range, and at least one pair with no all-zero half: otherwise the adapter has no effect, which only
 * a control may.
 */
async function checkValues(path: string, file: Safetensors, control: boolean): Promise<void> {
  const zeros = new Set<string>();
  const modules = new Set<string>();
  for await (const { tensor, scan: found } of scan(path, file)) {
    if (!found.usable)
      throw new Refused(
        "NotFinite",
        `${tensor.name} holds NaN, infinity or a value of 65536 or more; it would spoil every answer of the engine`,
      );
    const module = tensor.name.replace(/\.lora_[AB]\.weight$/, "");
    modules.add(module);
    if (found.zero) zeros.add(module);
  }
  if (zeros.size === modules.size && !control)
    throw new Refused("AllZero", "the weights are zero in every module, so the adapter changes nothing; was it trained?");
}
