/**
 * Arguments of `vllm serve` that nobody but the operator sets: they decide who can reach the engine, what it is called, what it loads,
 * and on how many devices it runs. What the operator sets of them follows from other fields of a ModelServer.
 */
export const operatorsArguments: readonly string[] = [
  ...["--host", "--port", "--uds", "--served-model-name", "--model", "--api-server-count", "--api-key", "--headless"],
  ...["--pipeline-parallel-size", "-pp", "--tensor-parallel-size", "-tp", "--data-parallel-size", "-dp", "--distributed-executor-backend"],
  ...["--nnodes", "--node-rank", "--master-addr", "--master-port"],
  ...["--enable-lora", "--no-enable-lora", "--lora-modules", "--max-lora-rank", "--max-loras", "--max-cpu-loras", "--fully-sharded-loras"],
  "--default-mm-loras",
  ...["--max-model-len", "--max-num-seqs", "--quantization", "-q", "--enable-sleep-mode", "--config"],
];

/**
 * Matches any of them as it is written out, with a value behind `=` or without: a regular expression for the API server, which would charge too
 * much for all that `operatorsArgumentIn` knows.
 */
export const operatorsArgument = `^(${operatorsArguments.map(spellings).join("|")})($|[ =.])`;

/** vLLM takes an underscore for every hyphen within a name. */
function spellings(name: string): string {
  const [, dashes = "", words = ""] = /^(-+)(.*)$/.exec(name) ?? [];
  return dashes + words.replaceAll("-", "[-_]");
}

/**
 * The operator's argument that this text sets, in any way that vLLM reads it: argparse also takes the beginning of a name (`--hos`) and a value
 * right behind `-q`, and vLLM makes JSON of `--lora-modules.path=…`. Undefined for anybody's argument, and for a value.
 */
export function operatorsArgumentIn(text: string): string | undefined {
  const [written = ""] = text.split(/[ =.+]/, 1);
  const name = written.replaceAll("_", "-");
  if (name.startsWith("--")) return name === "--" ? undefined : operatorsArguments.find((each) => each.startsWith(name));
  if (!/^-[a-z]/.test(name)) return undefined;
  return operatorsArguments.find(
    (each) => !each.startsWith("--") && (each.startsWith(name) || (each.length === 2 && name.startsWith(each))),
  );
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
