/** Sets an entry as the newest; beyond `most` entries the oldest one goes. */
export function keepNewest<T>(known: Map<string, T>, key: string, value: T, most: number): void {
  known.delete(key);
  known.set(key, value);
  const oldest = known.keys().next().value;
  if (known.size > most && oldest !== undefined) known.delete(oldest);
}
