import { mkdir } from "node:fs/promises";
import { PodFailure } from "@rune/clients/pod/pod";
import { canonicalJSON, modelDigest, sha256 } from "@rune/clients/registry/digest";
import { exit } from "@rune/crds/contracts/pod";
import type { StageJob } from "@rune/crds/contracts/stage";
import { readBaseShapes } from "../base-shapes.ts";
import { QuantizationUnsupported } from "../quantization.ts";
import { BadSafetensors } from "../safetensors.ts";
import { fromHuggingFace, type Hub } from "./hugging-face.ts";
import { readMarker, writeMarker } from "./marker.ts";
import type { Fetched } from "./model-files.ts";
import { fromRegistry } from "./oci.ts";
import { fromVolume } from "./volume.ts";

export type StageResult = { digest: string; name: string };

/** Fills the target with the base model and returns its identity. A complete directory from the same source is kept. */
export async function stage(job: StageJob, hub: Hub, signal: AbortSignal): Promise<StageResult> {
  const source = sha256(canonicalJSON(job.base));
  const kept = await readMarker(job.target);
  if (kept?.source === source) return expected(job, { digest: kept.digest, name: kept.name });
  await mkdir(job.target, { recursive: true });
  const { name, files } = await fetchModel(job, hub, signal);
  if (!Object.keys(files).some((file) => file.endsWith(".safetensors")) || !files["config.json"])
    throw new PodFailure(
      exit.badInput,
      "NotAModel",
      `${name} has no config.json or no safetensors weights; other formats, GGUF among them, can't be served with adapters: convert it to the Hugging Face format`,
    );
  const result = expected(job, { digest: modelDigest(files), name });
  const shapes = await readBaseShapes(job.target).catch((error) => {
    if (error instanceof BadSafetensors)
      throw new PodFailure(exit.badInput, "NotAModel", `the weights of ${name} are damaged: ${error.message}`, { cause: error });
    if (error instanceof QuantizationUnsupported)
      throw new PodFailure(exit.badInput, "QuantizationUnsupported", `${name}: ${error.message}`, { cause: error });
    throw error;
  });
  await writeMarker(job.target, { schema: "rune.dev/staged-model/v1", ...result, source, shapes });
  return result;
}

async function fetchModel(job: StageJob, hub: Hub, signal: AbortSignal): Promise<Fetched> {
  const { huggingFace, oci, pvc } = job.base;
  if (oci && job.registry) return await fromRegistry(oci, job.registry, job.target);
  if (huggingFace) return await fromHuggingFace(huggingFace, job.target, hub, signal);
  if (pvc) return await fromVolume(pvc.path, job.target);
  throw new PodFailure(exit.badInput, "NoSource", "the stage document names no source of the base model, or an OCI one without a registry");
}

function expected(job: StageJob, result: StageResult): StageResult {
  if (job.expectedDigest && job.expectedDigest !== result.digest)
    throw new PodFailure(
      exit.badInput,
      "BaseDigestMismatch",
      `the files of ${result.name} have the identity ${result.digest}, expected ${job.expectedDigest}: the source changed; nothing will be served from it`,
    );
  return result;
}
