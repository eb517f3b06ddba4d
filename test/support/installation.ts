import { exchange } from "../../clients/http/http.ts";
import { LoaderClient } from "../../clients/loader/loader.ts";
import { connectForever } from "../../clients/nats/connection.ts";
import { connectNats, type OperatorNats } from "../../clients/nats/nats.ts";
import { Registry } from "../../clients/registry/registry.ts";
import { kubectl } from "../../cluster/api.ts";
import type { LoaderState } from "../../crds/contracts/loader.ts";
import { type LogRecord, logRecord, sessionSubject } from "../../crds/contracts/session-log.ts";
import { label } from "../../crds/words/labels.ts";
import { port } from "../../crds/words/ports.ts";
import { reachPod, reachService } from "../../examples/shared/installation.ts";
import { loaderToken } from "../../operator/credentials/loader-token.ts";
import { type RegistryGrant, registryToken } from "../../operator/credentials/registry-token.ts";
import { read, readAll } from "./objects.ts";

/** The quickstart's installation, and the objects in its namespace. */
export const system = "rune-system";
export const namespace = "quickstart";
export const server = "coder";
export const project = "tessera";
export const canRun = process.env.RUNE_TEST_CLUSTER === "1";

export interface Pod {
  metadata: { name: string; uid: string; labels: Record<string, string> };
  spec: {
    automountServiceAccountToken?: boolean;
    enableServiceLinks?: boolean;
    securityContext: { runAsUser: number; runAsNonRoot: boolean };
    containers: { name: string; securityContext: Record<string, unknown> }[];
    volumes: Record<string, unknown>[];
  };
  status: {
    phase: string;
    podIP: string;
    containerStatuses?: { name: string; restartCount: number; ready: boolean; state: { running?: object; terminated?: object } }[];
  };
}

/** The operator's keys: with them a test can send requests that only the operator may send. */
export async function keys(): Promise<Record<string, string>> {
  const { data } = await read<{ data: Record<string, string> }>("Secret", system, "rune-keys");
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, Buffer.from(value, "base64").toString()]));
}

type Access = RegistryGrant["access"];

export async function bearer(access: Access): Promise<string> {
  const key = JSON.parse((await keys())["registry.jwk"] ?? "");
  return await registryToken(key, { subject: "test", access, seconds: 1800 });
}

/** A registry client that may read and write one repository. */
export async function registryOf(repository: string): Promise<Registry> {
  const { url } = await reachService(system, "rune-registry", 5000);
  const token = await bearer([{ repository, actions: ["pull", "push"] }]);
  return new Registry({ url, token });
}

export async function nats(): Promise<OperatorNats> {
  return connectNats(await natsEndpoint());
}

async function natsEndpoint(): Promise<{ url: string; credentials: string }> {
  const { url } = await reachService(system, "rune-nats", 4222);
  return { url: url.replace("http:", "nats:"), credentials: (await keys())["operator.creds"] ?? "" };
}

/** The current log of a session in JetStream. */
export async function logOf(uid: string): Promise<LogRecord[]> {
  const connection = await nats();
  try {
    return (await connection.readLog(sessionSubject(uid))).records;
  } finally {
    await connection.close();
  }
}

/** Calls back for every record that any session appends, as soon as it is published. */
export async function watchLogs(seen: (uid: string, record: LogRecord) => void): Promise<() => Promise<void>> {
  const connection = await connectForever(await natsEndpoint(), { name: "test" });
  const subscription = connection.subscribe(sessionSubject("*"), {
    callback: (_error, message) => {
      const parsed = logRecord.safeParse(message.json());
      if (parsed.success) seen(message.subject.split(".").at(-1) ?? "", parsed.data);
    },
  });
  await connection.flush();
  return async () => {
    subscription.unsubscribe();
    await connection.close();
  };
}

export async function enginePod(): Promise<Pod> {
  const [pod] = await readAll<Pod>("Pod", namespace, { [label.component]: "vllm", [label.server]: server });
  if (!pod) throw new Error(`ModelServer ${server} has no pod`);
  return pod;
}

/** The admin port of the loader in the engine's pod, with the operator's rights. */
export async function loader(): Promise<LoaderClient> {
  const pod = await enginePod();
  const key = JSON.parse((await keys())["admin.jwk"] ?? "");
  const { url } = await reachPod(namespace, pod, port.admin);
  return new LoaderClient({ address: url, token: () => loaderToken(key, pod.metadata.uid, Date.now()) });
}

/** The state of the loader in the engine's pod. */
export const loaderState = async (): Promise<LoaderState> => await (await loader()).state();

interface Model {
  id: string;
  root: string | null;
  parent: string | null;
}

/** Models that are offered to clients. */
export async function offeredModels(): Promise<Model[]> {
  using service = await reachService(namespace, server, port.inference);
  return ((await (await fetch(`${service.url}/v1/models`)).json()) as { data: Model[] }).data;
}

/** Models that vLLM itself holds, read inside its pod, where nothing filters. */
export async function engineModels(): Promise<Model[]> {
  const script = `import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:${port.engine}/v1/models", timeout=10).read().decode())`;
  return JSON.parse(await inEngine(script)).data;
}

/** Runs Python in the engine's container. */
export async function inEngine(script: string): Promise<string> {
  return await kubectl(["exec", "-n", namespace, (await enginePod()).metadata.name, "-c", "vllm", "--", "python3", "-c", script]);
}

/** The served name of the base. */
export async function baseName(): Promise<string> {
  const base = (await offeredModels()).find(({ parent }) => parent === null);
  if (!base) throw new Error("the server offers no base model");
  return base.id;
}

/** A real greedy completion. */
export async function complete(model: string, prompt: string, maxTokens = 12): Promise<string> {
  using service = await reachService(namespace, server, port.inference);
  const answer = await fetch(`${service.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt, max_tokens: maxTokens, temperature: 0 }),
    signal: AbortSignal.timeout(120_000),
  });
  if (answer.status !== 200) throw new Error(`${model} answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { choices: { text: string }[] }).choices[0]?.text ?? "";
}

/** Stops the experiment tracker's server, which then accepts requests and answers none, or continues it. */
export async function tellTracker(name: "SIGSTOP" | "SIGCONT"): Promise<void> {
  const others = '[int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in (1, os.getpid())]';
  const script = `import os, signal; [os.kill(pid, signal.${name}) for pid in ${others}]`;
  await kubectl(["exec", "-n", system, "deployment/rune-mlflow", "--", "python3", "-c", script]);
}

/** GET from the experiment tracker's REST API, under its own name: it refuses requests by address. */
export async function mlflow<Answer>(path: string): Promise<Answer> {
  using service = await reachService(system, "rune-mlflow", 5000);
  const headers = { host: `rune-mlflow.${system}.svc:5000` };
  const answer = await exchange({ method: "GET", url: `${service.url}/api/2.0/mlflow/${path}`, headers, timeoutMilliseconds: 30_000 });
  if (answer.status !== 200) throw new Error(`MLflow answered ${answer.status} to ${path}: ${answer.body}`);
  return JSON.parse(answer.body.toString());
}
