/** The value of a JSON text, or `undefined` if there is none or it isn't JSON; a schema must validate it. */
export function parseJSON(text: Uint8Array | string | undefined): unknown {
  try {
    return JSON.parse(typeof text === "string" ? text : new TextDecoder().decode(text));
  } catch {
    return undefined;
  }
}
