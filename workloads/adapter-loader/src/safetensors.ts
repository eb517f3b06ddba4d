import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";

/** The file violates the safetensors format: https://github.com/huggingface/safetensors#format */
export class BadSafetensors extends Error {
  override readonly name = "BadSafetensors";
}

export type Tensor = { name: string; dtype: string; shape: number[]; start: number; end: number };
export type Safetensors = { tensors: Tensor[]; dataOffset: number };
export type Scan = { usable: boolean; zero: boolean };

const longestHeader = 64 * 1024 * 1024;
const entry = z.object({
  dtype: z.string(),
  shape: z.array(z.number().int().min(0)).max(8),
  data_offsets: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
});
const bytesOf: Readonly<Record<string, number>> = {
  ...{ F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, BF16: 2, F16: 2, I16: 2, U16: 2 },
  ...{ F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1, I8: 1, U8: 1, BOOL: 1 },
};

/** Reads the header and checks that the tensors fill the file exactly, without holes, overlaps or extra bytes. */
export async function readHeader(path: string): Promise<Safetensors> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const length = Number((await readExactly(file, 0, 8, size)).readBigUInt64LE());
    if (length > longestHeader || 8 + length > size)
      throw new BadSafetensors(`the header says it is ${length} bytes, the file has ${size}`);
    const tensors = parseHeader(await readExactly(file, 8, length, size));
    checkLayout(tensors, size - 8 - length);
    return { tensors, dataOffset: 8 + length };
  } finally {
    await file.close();
  }
}

function parseHeader(bytes: Buffer): Tensor[] {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new BadSafetensors("the header is not JSON", { cause });
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(document);
  if (!parsed.success) throw new BadSafetensors("the header is not a JSON object");
  const { __metadata__: _, ...entries } = parsed.data;
  return Object.entries(entries).map(([name, value]) => {
    const tensor = entry.safeParse(value);
    if (!tensor.success) throw new BadSafetensors(`the header's entry ${name} is malformed`);
    const [start, end] = tensor.data.data_offsets;
    return { name, dtype: tensor.data.dtype, shape: tensor.data.shape, start, end };
  });
}

function checkLayout(tensors: Tensor[], dataBytes: number): void {
  let position = 0;
  for (const { name, dtype, shape, start, end } of [...tensors].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const width = bytesOf[dtype];
    if (width === undefined) throw new BadSafetensors(`${name} has the unknown type ${dtype}`);
    if (start !== position) throw new BadSafetensors(`${name} starts at byte ${start}, expected ${position}`);
    const bytes = shape.reduce((product, side) => product * side, width);
    if (end - start !== bytes)
      throw new BadSafetensors(`${name} has ${end - start} bytes, its shape [${shape}] of ${dtype} needs ${bytes}`);
    position = end;
  }
  if (position !== dataBytes) throw new BadSafetensors(`the tensors need ${position} bytes, the file has ${dataBytes}`);
}

const chunkBytes = 4 * 1024 * 1024;

/**
 * Reads every value of the float tensors, in parts of 4 MiB. A tensor is usable when all values are finite and below
 * 65536, the bound of float16: finite weights beyond it overflow inside the engine and corrupt it as NaN does.
 */
export async function* scan(path: string, file: Safetensors): AsyncGenerator<{ tensor: Tensor; scan: Scan }> {
  const handle = await open(path, "r");
  const buffer = Buffer.from(new ArrayBuffer(chunkBytes));
  try {
    for (const tensor of file.tensors) {
      const result: Scan = { usable: true, zero: true };
      for (let offset = tensor.start; offset < tensor.end && result.usable; offset += chunkBytes) {
        const length = Math.min(chunkBytes, tensor.end - offset);
        await fill(handle, buffer, length, file.dataOffset + offset);
        scanChunk(tensor.dtype, buffer, length, result);
      }
      yield { tensor, scan: result };
    }
  } finally {
    await handle.close();
  }
}

/** By bits, without the sign: bfloat16 and float32 have 8 bits of exponent with bias 127, so 65536 = 2^16 is exponent 143. */
const limits: Readonly<Record<string, { wide: boolean; limit: number }>> = {
  BF16: { wide: false, limit: 143 << 7 },
  F16: { wide: false, limit: 0x7c00 },
  F32: { wide: true, limit: 143 << 23 },
};
export const floatTypes: readonly string[] = Object.keys(limits);

function scanChunk(dtype: string, buffer: Buffer, length: number, result: Scan): void {
  const float = limits[dtype];
  if (!float) throw new BadSafetensors(`${dtype} is not one of ${floatTypes.join(", ")}`);
  const { wide, limit } = float;
  const values = wide ? new Uint32Array(buffer.buffer, 0, length / 4) : new Uint16Array(buffer.buffer, 0, length / 2);
  const magnitude = wide ? 0x7fffffff : 0x7fff;
  let any = 0;
  for (let index = 0; index < values.length; index++) {
    const bits = (values[index] as number) & magnitude;
    any |= bits;
    if (bits >= limit) {
      result.usable = false;
      result.zero = false;
      return;
    }
  }
  if (any !== 0) result.zero = false;
}

async function readExactly(file: FileHandle, position: number, length: number, size: number): Promise<Buffer> {
  if (position + length > size) throw new BadSafetensors(`the file ends after ${size} bytes`);
  const buffer = Buffer.alloc(length);
  await fill(file, buffer, length, position);
  return buffer;
}

async function fill(file: FileHandle, buffer: Buffer, length: number, position: number): Promise<void> {
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new BadSafetensors(`the file ended at byte ${position + done}`);
    done += bytesRead;
  }
}
