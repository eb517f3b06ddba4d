/** Ports of a vLLM pod. vLLM itself listens on localhost only. */
export const port = { inference: 8080, admin: 8081, metrics: 9090, engine: 8000, runner: 8090, canary: 8099 } as const;
