/** Ports of a vLLM pod, where vLLM itself listens on localhost only, of sandboxes and of the operator. */
export const port = { inference: 8080, admin: 8081, metrics: 9090, engine: 8000, runner: 8090, canary: 8099, tokens: 8082 } as const;
