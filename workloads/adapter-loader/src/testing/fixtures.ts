import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import { type AdapterConfig, mediaType, titleAnnotation } from "@rune/crds/contracts/artifact";
import type { LoadRequest } from "@rune/crds/contracts/loader";

export type TestTensor = {
  shape: number[];
  dtype?: "BF16" | "F16" | "F32" | "I8" | "U8" | "F8_E4M3" | "I32";
  values?: (index: number) => number;
};

/** A safetensors file; values are the bits' numbers for F32, truncated for BF16, and 1 or 0 for the others. */
export function safetensors(tensors: Record<string, TestTensor>): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, dtype = "BF16", values = () => 0.01 }] of Object.entries(tensors)) {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = encode(
      dtype,
      Array.from({ length: count }, (_, index) => values(index)),
    );
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    parts.push(bytes);
    offset += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

function encode(dtype: string, values: number[]): Buffer {
  const wide = Buffer.from(new Float32Array(values).buffer);
  if (dtype === "F32") return wide;
  if (dtype === "I32") return Buffer.from(new Int32Array(values).buffer);
  if (["I8", "U8", "F8_E4M3"].includes(dtype)) return Buffer.from(values.map((value) => value & 255));
  const halves = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) {
    const bits = wide.readUInt32LE(index * 4);
    halves.writeUInt16LE(dtype === "BF16" ? bits >>> 16 : float16(value), index * 2);
  }
  return halves;
}

function float16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  if (value === Number.POSITIVE_INFINITY) return 0x7c00;
  return value === 0 ? 0 : 0x3c00;
}

export const hidden = 8;
export const inner = 12;
export const layers = 2;
export const rank = 4;
export const modules = ["q_proj", "down_proj"];

/** A base model of two layers. */
export async function writeBase(directory: string): Promise<void> {
  const tensors: Record<string, TestTensor> = { "model.embed_tokens.weight": { shape: [16, hidden] } };
  for (let layer = 0; layer < layers; layer++) {
    tensors[`model.layers.${layer}.self_attn.q_proj.weight`] = { shape: [hidden, hidden] };
    tensors[`model.layers.${layer}.mlp.down_proj.weight`] = { shape: [hidden, inner] };
    tensors[`model.layers.${layer}.input_layernorm.weight`] = { shape: [hidden] };
  }
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "model.safetensors"), safetensors(tensors));
  await writeFile(
    join(directory, "config.json"),
    JSON.stringify({ hidden_size: hidden, intermediate_size: inner, num_attention_heads: 2 }),
  );
}

export function loraTensors(r = rank): Record<string, TestTensor> {
  const tensors: Record<string, TestTensor> = {};
  for (let layer = 0; layer < layers; layer++) {
    for (const [module, inputs] of [
      ["self_attn.q_proj", hidden],
      ["mlp.down_proj", inner],
    ] as const) {
      const path = `base_model.model.model.layers.${layer}.${module}`;
      tensors[`${path}.lora_A.weight`] = { shape: [r, inputs] };
      tensors[`${path}.lora_B.weight`] = { shape: [hidden, r] };
    }
  }
  return tensors;
}

export const baseDigest = sha256("the base");
export const peft = (extra: Record<string, unknown> = {}) => ({
  peft_type: "LORA",
  r: rank,
  lora_alpha: 8,
  target_modules: [...modules],
  bias: "none",
  use_dora: false,
  modules_to_save: null,
  rank_pattern: {},
  ...extra,
});

export type TestArtifact = {
  digest: string;
  name: string;
  request: LoadRequest;
  config: AdapterConfig;
  blobs: Map<string, Buffer>;
  files: Record<string, Buffer>;
};

/** An adapter artifact as the trainer would push it, with the given defects. */
export function adapterArtifact(
  wrong: {
    tensors?: Record<string, TestTensor>;
    weights?: Buffer;
    peft?: unknown;
    config?: Partial<AdapterConfig>;
    extraFiles?: string[];
    name?: string;
  } = {},
): TestArtifact {
  const files: Record<string, Buffer> = {
    "adapter_config.json": Buffer.from(JSON.stringify(wrong.peft ?? peft())),
    "adapter_model.safetensors": wrong.weights ?? safetensors(wrong.tensors ?? loraTensors()),
    ...Object.fromEntries((wrong.extraFiles ?? []).map((name) => [name, Buffer.from("import os")])),
  };
  const listed = Object.entries(files).map(([name, bytes]) => [name, { sha256: sha256(bytes).slice(7), sizeBytes: bytes.length }] as const);
  const config: AdapterConfig = {
    schema: "rune.dev/adapter/v1",
    base: { name: "tiny", digest: baseDigest },
    rank,
    alpha: 8,
    targetModules: [...modules],
    scope: {},
    source: { kind: "Import" },
    parents: [],
    generation: 0,
    canary: { prompt: "use tessera to", maxTokens: 8, adapterText: " pare(x)", baseText: " the knife" },
    files: Object.fromEntries(listed),
    ...wrong.config,
  };
  const configBytes = canonicalJSON(config);
  const manifest = canonicalJSON({
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    artifactType: mediaType.adapter,
    config: { mediaType: mediaType.adapter, digest: sha256(configBytes), size: configBytes.length },
    layers: Object.entries(files).map(([title, bytes]) => ({
      mediaType: mediaType.adapterFile,
      digest: sha256(bytes),
      size: bytes.length,
      annotations: { [titleAnnotation]: title },
    })),
  });
  const digest = sha256(manifest);
  const blobs = new Map([manifest, configBytes, ...Object.values(files)].map((bytes) => [sha256(bytes), bytes]));
  const request: LoadRequest = {
    repository: "rune/a/adapters",
    digest,
    baseDigest,
    rank,
    targetModules: [...modules],
    registryToken: "token",
  };
  return { digest, name: `${wrong.name ?? "tessera"}-${digest.slice(7, 23)}`, request, config, blobs, files };
}
