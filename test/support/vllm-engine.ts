import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../clients/testing/services.ts";
import { buildImages } from "../../cluster/api.ts";
import { buildah, inStore, storeEnvironment } from "../../cluster/buildah.ts";
import { settings } from "../../cluster/settings.ts";
import { engineArguments, engineEnvironment } from "../../controllers/model-server/engine-container.ts";
import { config, modelServer } from "../../controllers/testing/objects.ts";

/** A real engine of the vLLM image, beside this process, with the laboratory's model. */
export interface VllmEngine {
  /** the engine's URL, on loopback */
  readonly url: string;
  readonly baseName: string;
  readonly modelDirectory: string;
  /** a directory that the engine sees under the same path */
  readonly adapterDirectory: string;
  readonly slots: number;
  readonly maxRank: number;
  /** the engine's last lines of output */
  said(): string;
  /** whether its process has ended */
  ended(): boolean;
}

/**
 * Runs `work` beside an engine that is started as by the operator, with this number of pipeline stages; holds the lock
 * on the store of images meanwhile.
 */
export async function withVllmEngine<Result>(stages: number, work: (laboratory: VllmEngine) => Promise<Result>): Promise<Result> {
  const { vllm } = await buildImages(["vllm"]);
  if (!vllm) throw new Error("the vLLM image was not built");
  const directory = await mkdtemp(join(tmpdir(), "rune-laboratory-"));
  await chmod(directory, 0o777);
  try {
    return await inStore(async () => {
      const container = (await buildah(["from", "--pull-never", `${vllm.repository}:${vllm.tag}`])).trim();
      try {
        return await beside(container, directory, stages, work);
      } finally {
        await buildah(["rm", container]);
      }
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const slots = 2;
const maxRank = 8;

async function beside<Result>(
  container: string,
  directory: string,
  stages: number,
  work: (laboratory: VllmEngine) => Promise<Result>,
): Promise<Result> {
  const [modelDirectory, adapterDirectory] = [join(directory, "laboratory"), join(directory, "adapters")];
  for (const each of [modelDirectory, adapterDirectory]) {
    await mkdir(each);
    await chmod(each, 0o777);
  }
  const inside = ["--user", "65532", "--volume", `${directory}:${directory}`];
  const models = join(settings.root, "gpu-images/models");
  await buildah(["run", ...inside, "--volume", `${models}:/work:ro`, container, "--", "python3", "/work/laboratory.py", modelDirectory]);
  const port = await freePort();
  const engine = await startEngine(container, inside, [modelDirectory, ...argumentsOf(stages, port)], environmentOf(stages));
  try {
    const url = `http://127.0.0.1:${port}`;
    await answering(url, engine);
    const { said, ended } = engine;
    return await work({ url, baseName: "laboratory", modelDirectory, adapterDirectory, slots, maxRank, said, ended });
  } finally {
    await engine.stop();
  }
}

const serverOf = (stages: number) =>
  modelServer("laboratory", {
    spec: {
      base: { pvc: { claimName: "models", path: "laboratory" } },
      pipelineParallelSize: stages,
      maxModelLength: 512,
      maxSequences: 8,
      adapters: { slots, maxRank },
      // Small, so that prompts are prefilled in pieces, like long ones.
      engine: { extraArguments: ["--max-num-batched-tokens", "64"] },
    },
  });
const cpu = { ...config, engine: { ...config.engine, device: "CPU" as const } };

function argumentsOf(stages: number, port: number): string[] {
  const args = engineArguments(serverOf(stages), cpu);
  args[args.indexOf("--port") + 1] = String(port);
  return args;
}
const environmentOf = (stages: number) => engineEnvironment(serverOf(stages), cpu).map(({ name, value }) => `${name}=${value}`);

type Engine = Pick<VllmEngine, "said" | "ended"> & { stop(): Promise<void> };

/** The engine exits when its standard input is closed, and so with this process, however that ends. */
const launch = 'vllm serve "$@" & engine=$!; { cat >/dev/null; kill -TERM $engine; } <&3 & wait $engine';
const remembered = 200;

async function startEngine(container: string, inside: string[], args: string[], environment: string[]): Promise<Engine> {
  const store = await storeEnvironment();
  const shell = ["sh", "-c", `exec 3<&0; ${launch}`, "sh", ...args];
  const child = spawn("buildah", ["run", ...inside, container, "--", "env", ...environment, ...shell], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...store },
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream
      .setEncoding("utf8")
      .on("data", (text: string) => lines.push(...text.split("\n")) > remembered && lines.splice(0, lines.length - remembered));
  let over = false;
  const end = new Promise<void>((resolve) => {
    child.once("close", () => {
      over = true;
      resolve();
    });
  });
  return {
    said: () => lines.slice(-remembered).join("\n"),
    ended: () => over,
    stop: async () => {
      child.stdin.end();
      await end;
    },
  };
}

async function answering(url: string, engine: Engine): Promise<void> {
  while (!engine.ended()) {
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`the engine ended before it answered:\n${engine.said()}`);
}
