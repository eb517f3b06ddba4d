import { randomBytes } from "node:crypto";
import { sha256 } from "../../clients/registry/digest.ts";
import { artifactDigest, type Push, type Registry, titleOf } from "../../clients/registry/registry.ts";
import { type AdapterConfig, adapterConfig, mediaType } from "../../crds/contracts/artifact.ts";
import type { Adapter } from "../../crds/kinds/adapter.ts";
import { apiVersion } from "../../crds/words/group.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { namespace, registryOf } from "./installation.ts";

const configFile = "adapter_config.json";
const weightsFile = "adapter_model.safetensors";

/** An adapter artifact in memory, with the parts that can be changed. */
export interface Original {
  config: AdapterConfig;
  peft: Record<string, unknown>;
  weights: Buffer;
}

/** What differs from the original. Hashes, sizes and digests follow, so that only the fault itself is wrong. */
export interface Fault {
  config?: (config: AdapterConfig) => AdapterConfig;
  peft?: (peft: Record<string, unknown>) => Record<string, unknown>;
  weights?: (weights: Buffer) => Buffer;
}

export interface Forged {
  name: string;
  digest: string;
  /** Digest of the file of weights. */
  weights: string;
  manifest: Manifest & { spec: Adapter["spec"] };
}

export async function original({ spec }: Adapter): Promise<Original> {
  const { repository, digest } = spec.artifact;
  const registry = await registryOf(repository);
  const { manifest } = await registry.manifest(repository, digest);
  const file = async (title: string) => {
    const layer = manifest.layers.find((each) => titleOf(each) === title);
    if (!layer) throw new Error(`${repository}@${digest} has no ${title}`);
    return await registry.blob(repository, layer.digest, { maxBytes: layer.size });
  };
  return {
    config: await registry.json(repository, manifest.config, adapterConfig),
    peft: JSON.parse((await file(configFile)).toString()),
    weights: await file(weightsFile),
  };
}

/** Stores an artifact with this fault, or only returns what it would be. */
export async function forge(stem: string, good: Original, fault: Fault, registry: Registry | null): Promise<Forged> {
  const bytes = {
    [configFile]: Buffer.from(JSON.stringify((fault.peft ?? same)(good.peft))),
    [weightsFile]: (fault.weights ?? same)(good.weights),
  };
  const files = Object.fromEntries(
    Object.entries(bytes).map(([title, content]) => [title, { sha256: sha256(content).slice(7), sizeBytes: content.length }]),
  );
  const config: AdapterConfig = {
    ...(fault.config ?? same)(good.config),
    scope: { project: "forgery" },
    source: { kind: "Import", name: stem },
    parents: [],
    generation: 0,
    files,
  };
  const push: Push = {
    repository: `rune/${namespace}/adapters`,
    artifactType: mediaType.adapter,
    config,
    configMediaType: mediaType.adapter,
    files: Object.entries(bytes).map(([title, content]) => ({ title, mediaType: mediaType.adapterFile, bytes: content })),
  };
  const digest = registry ? (await registry.push(push)).digest : await artifactDigest(push);
  return describe(stem, config, { repository: push.repository, digest, sizeBytes: sizeOf(files) }, files[weightsFile]?.sha256 ?? "");
}

function describe(stem: string, config: AdapterConfig, artifact: Adapter["spec"]["artifact"], weights: string): Forged {
  const name = `${stem}-${artifact.digest.slice(7, 23)}`;
  const { base, rank, alpha, targetModules, scope, source, parents, generation } = config;
  const spec = { base, artifact, rank, alpha, targetModules, scope, source, parents, generation };
  return {
    name,
    digest: artifact.digest,
    weights: `sha256:${weights}`,
    manifest: { apiVersion, kind: "Adapter", metadata: { name, namespace }, spec },
  };
}

const same = <T>(value: T): T => value;
const sizeOf = (files: Record<string, { sizeBytes: number }>) => Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** NaN as the first value of the first tensor: https://github.com/huggingface/safetensors#format */
export function withNaN(weights: Buffer): Buffer {
  return withFirstValue(weights, { BF16: [0xc0, 0x7f], F16: [0x00, 0x7e], F32: [0x00, 0x00, 0xc0, 0x7f] });
}

/** Weights as good as the original's that have not been stored before. */
export function unseen(weights: Buffer): Buffer {
  const { tensors, data } = parsed(weights);
  const changed = Buffer.from(weights);
  // The low byte of each of the first values: too small to matter, enough to be unique.
  const width = { BF16: 2, F16: 2, F32: 4 }[Object.values(tensors)[0]?.dtype ?? ""] ?? 2;
  for (const [index, byte] of randomBytes(8).entries()) changed[data + index * width] = byte;
  return changed;
}

function withFirstValue(weights: Buffer, bits: Bits): Buffer {
  const { first, value, data } = firstOf(weights, bits);
  const changed = Buffer.from(weights);
  value.copy(changed, data + first.data_offsets[0]);
  return changed;
}

/** 1e-20, or F16's smallest, for every value: finite and not zero, and without effect on any answer. */
export function withoutEffect(weights: Buffer): Buffer {
  const { value, data } = firstOf(weights, { BF16: [0x3c, 0x1e], F16: [0x01, 0x00], F32: [0x08, 0xe5, 0x3c, 0x1e] });
  return Buffer.from(weights).fill(value, data);
}

/** Bytes of one value by the type of the weights. */
type Bits = Record<string, number[]>;

function firstOf(weights: Buffer, bits: Bits): { first: Tensor; value: Buffer; data: number } {
  const { tensors, data } = parsed(weights);
  const [first] = Object.values(tensors);
  const value = bits[first?.dtype ?? ""];
  if (!first || !value) throw new Error(`no weights of a known type, but ${first?.dtype}`);
  return { first, value: Buffer.from(value), data };
}

/** The first tensor with swapped sides: as many bytes, another matrix. */
export function withTurnedMatrix(weights: Buffer): Buffer {
  const { tensors, metadata, data } = parsed(weights);
  const [name, first] = Object.entries(tensors)[0] ?? [];
  if (!name || !first) throw new Error("no weights");
  const turned = { ...first, shape: first.shape.toReversed() };
  const text = JSON.stringify({ ...(metadata ? { __metadata__: metadata } : {}), ...tensors, [name]: turned });
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, weights.subarray(data)]);
}

function parsed(weights: Buffer): { tensors: Record<string, Tensor>; metadata: unknown; data: number } {
  const data = 8 + Number(weights.readBigUInt64LE());
  const { __metadata__: metadata, ...tensors } = JSON.parse(weights.subarray(8, data).toString());
  return { tensors, metadata, data };
}
