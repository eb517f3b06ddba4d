/** Aborts when the program receives SIGTERM or SIGINT. A second SIGINT kills it at once, as without this handler. */
export function terminationSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.once(name, () => stop.abort(new Error(`the program was asked to end (${name})`)));
  return stop.signal;
}
