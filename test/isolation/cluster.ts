import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuiltImage, buildImages, ensureUp, kubectl, loadImages } from "../../cluster/api.ts";
import { settings } from "../../cluster/settings.ts";
import { run } from "../../cluster/shell.ts";
import { port } from "../../crds/words/ports.ts";
import { reachPod } from "../../examples/shared/installation.ts";
import { create, fresh, read } from "../support/objects.ts";
import type { Outcome } from "./table.ts";
import { canaryPod, codeOf, type Layers, type Owner, observerPort, ownerOf, sandboxOf } from "./testbed.ts";

const secretOf = () => randomBytes(12).toString("hex");
type Running = { metadata: { name: string }; status: { podIP: string } };

/** Sandboxes behind these layers, in a namespace of their own on the cluster, attacked and taken down again. */
export async function attacked(
  all: readonly Layers[],
  { short, onLine }: { short: boolean; onLine: (line: string) => void },
): Promise<Outcome> {
  await ensureUp();
  const { sandbox } = await loadImages(await buildImages(["sandbox"]));
  if (!sandbox) throw new Error("the sandbox's image was not built");
  const namespace = fresh("rune-isolation");
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await create({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } } as never);
  try {
    return await attackedIn(namespace, sandbox, all, { short, onLine });
  } finally {
    await kubectl(["delete", "namespace", namespace, "--wait=false"]);
  }
}

async function attackedIn(
  namespace: string,
  image: BuiltImage,
  all: readonly Layers[],
  { short, onLine }: { short: boolean; onLine: (line: string) => void },
): Promise<Outcome> {
  await create(...([...all.map(({ name }) => ownerOf(namespace, name)), ownerOf(namespace, "canary"), codeOf(namespace)] as never[]));
  const owner = (name: string) => read<Owner>("configmap", namespace, name);
  const made = await Promise.all(
    all.map(async (layers) => ({ layers, owner: await owner(layers.name), image, token: secretOf(), secret: secretOf() })),
  );
  await create(...([canaryPod(await owner("canary"), image), ...made.flatMap(sandboxOf)] as never[]));
  await kubectl(["wait", "pod", "--all", "-n", namespace, "--for=condition=Ready", "--timeout=120s"]);
  await using reached = new AsyncDisposableStack();
  const at = async (name: string, number: number) => {
    const found = await reachPod(namespace, await read<Running>("pod", namespace, name), number);
    return new URL(reached.use(found).url).host;
  };
  const sandboxes = [];
  for (const { layers, token, secret } of made) {
    const pod = `${layers.name}-s1`;
    sandboxes.push({
      name: layers.name,
      locked: layers.locks,
      runner: await at(pod, port.runner),
      neighbour: await at(pod, observerPort),
      token,
      secret,
    });
  }
  const { podIP } = (await read<Running>("pod", namespace, "canary")).status;
  const canary = { observer: await at("canary", observerPort), host: podIP };
  return await observed({ sandboxes, canary, short }, onLine);
}

/** What the observer says of a test-bed. */
async function observed(testbed: object, onLine: (line: string) => void): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "rune-isolation-"));
  try {
    const [told, result] = [join(directory, "testbed.json"), join(directory, "result.json")];
    await writeFile(told, JSON.stringify(testbed), { mode: 0o600 });
    await run("python3", ["-B", "-m", "adversary.layers", told, result], { cwd: join(settings.root, "workloads/sandbox"), onLine });
    return JSON.parse(await readFile(result, "utf8")) as Outcome;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
