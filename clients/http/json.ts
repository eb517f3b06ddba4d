/** The value of a JSON text, or `undefined` if it isn't JSON; a schema must validate it. */
export function parseJSON(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
