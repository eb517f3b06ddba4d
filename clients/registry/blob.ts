import { open } from "node:fs/promises";
import { sha256, sha256File } from "./digest.ts";

/** Content to upload, with known digest and size, read in parts. */
export type Blob = { digest: string; size: number; read(offset: number, length: number): Promise<Buffer> };

export function blobOfBytes(bytes: Uint8Array): Blob {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { digest: sha256(bytes), size: buffer.length, read: async (offset, length) => buffer.subarray(offset, offset + length) };
}

/**
 * A file, which must not change during the upload: otherwise the registry refuses it, because the digest doesn't match.
 */
export async function blobOfFile(path: string): Promise<Blob> {
  const { digest, sizeBytes } = await sha256File(path);
  return { digest, size: sizeBytes, read: (offset, length) => readPart(path, offset, length) };
}

async function readPart(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
