/** Aborts when the program is asked to end (SIGTERM, SIGINT). A second SIGINT ends it at once, as without us. */
export function terminationSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.once(name, () => stop.abort(new Error(`the program was asked to end (${name})`)));
  return stop.signal;
}
