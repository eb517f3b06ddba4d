import type { ModelServer } from "@rune/crds/kinds/model-server";
import { operatorsArgumentIn, operatorsVariables } from "@rune/crds/words/engine-arguments";
import { port } from "@rune/crds/words/ports";
import type { Container, EnvVar, Probe, ResourceRequirements, VolumeMount } from "../pods/manifest.ts";
import { modelDirectory, resourcesOf, restrictedContainer, sharedMemoryMount, temporaryMount } from "../pods/pod.ts";
import type { Check } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { Reason } from "../shared/reasons.ts";
import { servedBaseName } from "../shared/serving.ts";

/** vLLM itself, on localhost only: everything reaches it through the loader. */
export function engineContainer(server: ModelServer, config: OperatorConfig, modelMounts: VolumeMount[]): Container {
  return {
    name: "vllm",
    image: server.spec.engine.image ?? config.images.vllm,
    imagePullPolicy: config.imagePullPolicy,
    command: ["sh", "-c", launch, "vllm"],
    args: [modelDirectory, ...engineArguments(server, config)],
    env: engineEnvironment(server, config),
    securityContext: restrictedContainer,
    resources: engineResources(server, config),
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [...modelMounts, { name: "adapters", mountPath: "/adapters", readOnly: true }, sharedMemoryMount, temporaryMount],
    startupProbe: completion({ periodSeconds: 5, failureThreshold: 120 }),
    livenessProbe: completion({ periodSeconds: 15, failureThreshold: 2 }),
    lifecycle: { preStop: { exec: { command: ["python3", "-c", drain] } } },
  };
}

/**
 * Ends vLLM in whatever state it is. As the container's first process it would ignore SIGTERM until it has loaded the
 * model, minutes later. As a child it still drops the first one while its engine core starts, and then waits ten minutes
 * for that core (vLLM 0.32, `zmq_socket_ctx`), so SIGTERM is repeated. Nothing is being answered any more by then, so it
 * is killed in the end.
 */
const launch = [
  "engine=",
  "end() {",
  '  [ "$engine" ] || engine=$!',
  "  kill -TERM $engine",
  "  { sleep 5; kill -TERM $engine; sleep 20; kill -KILL $engine; } >/dev/null 2>&1 &",
  "}",
  "trap end TERM INT",
  'vllm serve "$@" &',
  '[ "$engine" ] || engine=$!',
  "while kill -0 $engine 2>/dev/null; do wait $engine; code=$?; done",
  "exit $code",
].join("\n");

/** Time for a pod to stop: Services drop it, running requests finish, then the engine and the loader exit. */
export const graceSeconds = 150;
/**
 * Waits until Services have dropped the pod, and has the loader refuse new requests and wait for the open ones, because
 * the engine aborts them on SIGTERM. The loader knows when waiting is useless: an engine that hangs, or that never was
 * ready, finishes nothing. Without a loader the engine's own count of requests decides.
 */
const drain = [
  "import sys, time, urllib.request",
  "time.sleep(5)",
  `deadline = time.monotonic() + ${graceSeconds - 40}`,
  "try:",
  `    urllib.request.urlopen('http://127.0.0.1:${port.metrics}/drain', timeout=${graceSeconds - 50}).read()`,
  "    sys.exit()",
  "except OSError: pass",
  "busy = ('vllm:num_requests_running', 'vllm:num_requests_waiting')",
  "while time.monotonic() < deadline:",
  `    try: lines = urllib.request.urlopen('http://127.0.0.1:${port.engine}/metrics', timeout=5).read().decode().splitlines()`,
  "    except OSError: break",
  "    if sum(float(line.rsplit(' ', 1)[1]) for line in lines if line.startswith(busy)) == 0: break",
  "    time.sleep(1)",
].join("\n");

/** A real one-token completion through all ranks: `/health` stays 200 when a rank has died. */
function completion(timing: Pick<Probe, "periodSeconds" | "failureThreshold">): Probe {
  // The probe itself times out after 20 s and then reports why.
  // A hanging engine finishes nothing, so it isn't drained.
  return { exec: { command: ["rune-probe"] }, timeoutSeconds: 25, terminationGracePeriodSeconds: 10, ...timing };
}

export function engineArguments({ spec }: ModelServer, config: OperatorConfig): string[] {
  const { slots, maxRank } = spec.adapters;
  return [
    ...["--host", "127.0.0.1", "--port", String(port.engine)],
    ...["--served-model-name", servedBaseName(spec.base)],
    ...["--pipeline-parallel-size", String(spec.pipelineParallelSize)],
    ...["--tensor-parallel-size", String(spec.tensorParallelSize)],
    ...["--distributed-executor-backend", "mp"],
    ...["--enable-lora", "--max-lora-rank", String(maxRank), "--max-loras", String(slots), "--max-cpu-loras", String(slots)],
    // The loader requests these every second.
    ...["--disable-access-log-for-endpoints", "/v1/models,/metrics,/health"],
    ...["--max-model-len", String(spec.maxModelLength), "--max-num-seqs", String(spec.maxSequences)],
    ...(spec.quantization === "NF4" ? ["--quantization", "bitsandbytes"] : []),
    // 32-token blocks, because prefixes are shared per block, and the CPU build's default of 128 exceeds a whole
    // prompt.
    ...(config.engine.device === "CPU" ? ["--enforce-eager", "--dtype", "bfloat16", "--block-size", "32"] : []),
    ...(spec.engine.extraArguments ?? []),
  ];
}

export function engineEnvironment({ spec }: ModelServer, config: OperatorConfig): EnvVar[] {
  const { cpuThreads, cpuKVCacheGiB } = config.engine;
  const ranks = spec.pipelineParallelSize * spec.tensorParallelSize;
  const cpu = {
    VLLM_CPU_KVCACHE_SPACE: String(cpuKVCacheGiB),
    VLLM_CPU_OMP_THREADS_BIND: "nobind",
    OMP_NUM_THREADS: String(Math.max(1, Math.floor(cpuThreads / ranks))),
    // Spinning idle threads would starve other processes on the node.
    GOMP_SPINCOUNT: "0",
    OMP_WAIT_POLICY: "passive",
    // The image has no compiler, so code that torch compiles on demand (`logprobs`) would crash the engine.
    TORCHDYNAMO_DISABLE: "1",
  };
  const variables = {
    HOME: "/tmp",
    HF_HUB_OFFLINE: "1",
    VLLM_ALLOW_RUNTIME_LORA_UPDATING: "True",
    // Counts completions that a broken adapter corrupted (`vllm:corrupted_requests_total`).
    VLLM_COMPUTE_NANS_IN_LOGITS: "1",
    VLLM_NO_USAGE_STATS: "1",
    DO_NOT_TRACK: "1",
    ...(config.engine.device === "CPU" ? cpu : {}),
  };
  return [...Object.entries(variables).map(([name, value]) => ({ name, value })), ...(spec.engine.environment ?? [])];
}

/** Number of GPUs per replica: from the spec, else one per rank where engines run on GPUs. */
export function gpusOf({ spec }: ModelServer, config: OperatorConfig): number {
  return spec.resources.gpus ?? (config.engine.device === "CPU" ? 0 : spec.pipelineParallelSize * spec.tensorParallelSize);
}

function engineResources(server: ModelServer, config: OperatorConfig): ResourceRequirements {
  return resourcesOf(server.spec.resources, config, gpusOf(server, config));
}

/** What the user adds to the engine must not undo what makes it safe. */
export const engineArgumentsAllowed: Check<{ readonly server: ModelServer }> = ({ server }) => {
  const { extraArguments = [], environment = [] } = server.spec.engine;
  const [argument] = extraArguments.flatMap((text) => operatorsArgumentIn(text) ?? []);
  if (argument)
    return refused(
      `spec.engine.extraArguments: ${argument} is set by the operator; remove it and use the field of spec that stands for it`,
    );
  const variable = environment.find(({ name }) => operatorsVariables.includes(name));
  return variable ? refused(`spec.engine.environment: ${variable.name} is set by the operator; remove it`) : null;
};

const refused = (message: string) => ({ reason: Reason.EngineArgumentRefused, message });
