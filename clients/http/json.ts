/** The value of a JSON text, or `undefined` when it isn't one: a schema decides afterwards. */
export function parseJSON(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
