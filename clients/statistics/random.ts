/** Returns numbers in [0, 1). */
export type Random = () => number;

/**
 * xoshiro128** 1.1 (Blackman and Vigna, https://prng.di.unimi.it), its state filled by splitmix32 from a seed and a
 * label, so that each use of one seed has a separate stream. Reproducible everywhere, unlike `Math.random`, and so are
 * reports.
 */
export function seeded(seed: number, label: string): Random {
  const next = splitmix32(seed ^ hash(label));
  const s = new Uint32Array([next(), next(), next(), next()]);
  return () => {
    const [a = 0, b = 0, c = 0, d = 0] = s;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const [c1, d1] = [c ^ a, d ^ b];
    s.set([a ^ d1, b ^ c1, c1 ^ (b << 9), rotate(d1, 11)]);
    return result / 2 ** 32;
  };
}

/** An integer from 0 to `size` - 1. */
export function below(size: number, random: Random): number {
  return Math.floor(random() * size);
}

/** Fisher-Yates shuffle; returns a new array. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = below(last + 1, random);
    [order[last], order[other]] = [order[other] as T, order[last] as T];
  }
  return order;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value;
}
