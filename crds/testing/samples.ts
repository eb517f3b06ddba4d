import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; generateName?: string; labels?: Record<string, string> };
  spec?: Record<string, unknown>;
}

export interface Sample {
  file: string;
  manifest: Manifest;
}

export interface RefusedSample extends Sample {
  /** The API server's expected message, from the file's first line. */
  message: string;
}

const folder = join(import.meta.dirname, "../samples");

function yamlFiles(path: string): string[] {
  return readdirSync(path).filter((name) => name.endsWith(".yaml"));
}

export function validSamples(): Sample[] {
  return yamlFiles(folder).map((file) => ({ file, manifest: parse(readFileSync(join(folder, file), "utf8")) }));
}

export function refusedSamples(): RefusedSample[] {
  return yamlFiles(join(folder, "invalid")).map((file) => {
    const text = readFileSync(join(folder, "invalid", file), "utf8");
    const message = /^# Refused: (.+)\n/.exec(text)?.[1];
    if (!message) throw new Error(`crds/samples/invalid/${file} must begin with "# Refused: <message>"`);
    return { file, manifest: parse(text), message };
  });
}

/** The full sample of a kind, and one per further alternative if its spec has exclusive ones: `<kind>-full-….yaml`. */
export function fullSamplesOf(kind: string): Manifest[] {
  return validSamples().flatMap(({ file, manifest }) => (file.startsWith(`${kind.toLowerCase()}-full`) ? [manifest] : []));
}

export function sampleOf(kind: string, size: "minimal" | "full"): Manifest {
  const found = validSamples().find(({ file }) => file === `${kind.toLowerCase()}-${size}.yaml`);
  if (!found) throw new Error(`crds/samples lacks ${kind.toLowerCase()}-${size}.yaml`);
  return found.manifest;
}
