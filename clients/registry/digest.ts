import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** `sha256:` and the 64 lower-case hex digits of the SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Digest and size of a file, read as a stream. */
export async function sha256File(path: string): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

/**
 * The canonical JSON form of a value (RFC 8785): keys sorted by their UTF-16 code units at every level, no spaces,
 * UTF-8, no newline; `undefined` fields are left out.
 */
export function canonicalJSON(value: unknown): Buffer {
  return Buffer.from(textOf(value), "utf8");
}

/** Not `JSON.stringify` of a sorted object, because objects order integer-like keys numerically. */
function textOf(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => textOf(each ?? null)).join()}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${textOf(field)}`).join()}}`;
}

/** Identity of a model: SHA-256 over the lines `<sha256 hex>  <name>\n`, sorted by name, of all its files. */
export function modelDigest(files: Readonly<Record<string, { sha256: string }>>): string {
  const lines = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, file]) => `${file.sha256}  ${name}\n`);
  return sha256(lines.join(""));
}
