/**
 * Arguments of `vllm serve` that nobody but the operator sets: they decide who can reach the engine, what it is called, what it loads,
 * and on how many devices it runs. What the operator sets of them follows from other fields of a ModelServer.
 */
export const operatorsArguments: readonly string[] = [
  ...["--host", "--port", "--uds", "--served-model-name", "--model", "--api-server-count", "--api-key", "--headless"],
  ...["--pipeline-parallel-size", "-pp", "--tensor-parallel-size", "-tp", "--data-parallel-size", "-dp", "--distributed-executor-backend"],
  ...["--nnodes", "--node-rank", "--master-addr", "--master-port"],
  ...["--enable-lora", "--no-enable-lora", "--lora-modules", "--max-lora-rank", "--max-loras", "--max-cpu-loras", "--fully-sharded-loras"],
  ...["--max-model-len", "--max-num-seqs", "--quantization", "-q", "--enable-sleep-mode", "--config"],
];

/**
 * Matches any of them in every spelling that vLLM accepts, with a value behind `=` or without: a regular expression for RE2 and JavaScript.
 * Group 1 is the argument.
 */
export const operatorsArgument = `^(${operatorsArguments.map(spellings).join("|")})($|[ =])`;

/** vLLM takes an underscore for every hyphen within a name. */
function spellings(name: string): string {
  const [, dashes = "", words = ""] = /^(-+)(.*)$/.exec(name) ?? [];
  return dashes + words.replaceAll("-", "[-_]");
}

/** Variables of the engine's environment that are the operator's alone. */
export const operatorsVariables: readonly string[] = [
  "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
  "VLLM_COMPUTE_NANS_IN_LOGITS",
  "VLLM_SERVER_DEV_MODE",
  "VLLM_API_KEY",
  "VLLM_LORA_RESOLVER_CACHE_DIR",
  "HF_HUB_OFFLINE",
];
