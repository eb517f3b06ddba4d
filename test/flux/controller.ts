import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import { freePort } from "../../clients/testing/services.ts";
import { cluster, kubectl } from "../../cluster/api.ts";
import { goModule, goModuleVersion, goTools } from "../../cluster/programs.ts";
import { settings } from "../../cluster/settings.ts";
import { spawnBound } from "../../cluster/shell.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { eventually, listOf } from "../support/objects.ts";
import { fluxNamespace } from "./manifests.ts";

const kustomizeController = "github.com/fluxcd/kustomize-controller";
/** Only its definitions are used. Its own go.mod asks for a newer Kubernetes, so it can't stand in ours. */
const sourceController = { path: "github.com/fluxcd/source-controller", version: "v1.8.5" };
/** Kinds that kustomize-controller watches. */
const sources = ["gitrepositories", "ocirepositories", "buckets"];

/** Marks what the test puts into the cluster, and so may remove. */
const own = { "app.kubernetes.io/managed-by": "rune-test-flux" };
const ownSelector = "app.kubernetes.io/managed-by=rune-test-flux";

/** Flux's kustomize-controller, as a process of this machine with the cluster's administrator's rights. */
export interface Controller {
  /** Runs `work`; an error of it ends with the controller's last lines. */
  beside<T>(work: () => Promise<T>): Promise<T>;
  /** Stops the process and removes what `startController` put into the cluster, which must hold no Kustomization any more. */
  stop(): Promise<void>;
}

/**
 * Flux's kinds in the cluster, a namespace for them, and its controller beside it. source-controller doesn't run: the
 * test writes what it would write.
 */
export async function startController(): Promise<Controller> {
  await refuseAnother();
  const program = join(await goTools(import.meta.dirname), "kustomize-controller");
  const definitions = await definitionsOfFlux();
  await kubectl(["apply", "--server-side", "-f", "-"], { input: listOf([...definitions, namespace]) });
  await kubectl(["wait", "--for=condition=Established", "--timeout=60s", ...definitions.map(({ metadata }) => `crd/${metadata.name}`)]);
  const log = join(settings.out, "test/kustomize-controller.log");
  await mkdir(dirname(log), { recursive: true });
  await writeFile(log, "");
  const health = `127.0.0.1:${await freePort()}`;
  const running = await spawnBound("sh", ["-c", loggingTo, log, ...environment(), program, ...flags, `--health-addr=${health}`]);
  const controller: Controller = {
    beside: (work) => work().catch(async (error: Error) => Promise.reject(new Error(`${error.message}\n${await lastLines(log)}`))),
    stop: async () => {
      running[Symbol.dispose]();
      await kubectl(["delete", "crd,namespace", "-l", ownSelector, "--timeout=2m"]);
    },
  };
  const isReady = () =>
    fetch(`http://${health}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  const started = controller.beside(() => eventually("kustomize-controller is ready", isReady, Boolean, 2));
  await started.catch(async (error: Error) => {
    await controller.stop();
    throw error;
  });
  return controller;
}

// The first line of output is what spawnBound waits for; the controller itself writes to stderr only.
const loggingTo = 'echo started; exec env "$@" 2>"$0"';
const environment = () => [`KUBECONFIG=${cluster().kubeconfig}`, `RUNTIME_NAMESPACE=${fluxNamespace}`];
/** Flux's defaults, but for how soon it looks again whether a Kustomization's dependency is ready. */
const flags = ["--requeue-dependency=5s", "--no-remote-bases", "--metrics-addr=0", "--log-encoding=console"];

const namespace: Manifest = { apiVersion: "v1", kind: "Namespace", metadata: { name: fluxNamespace, labels: own } };

/** Two controllers would both work on every Kustomization, and removing the definitions would delete all of them. */
async function refuseAnother(): Promise<void> {
  const others = await kubectl(["get", "crd,namespace", "-l", ownSelector.replace("=", "!="), "-o", "name"]);
  if (others.includes("kustomizations.kustomize.toolkit.fluxcd.io") || others.split("\n").includes(`namespace/${fluxNamespace}`))
    throw new Error("the cluster has a Flux of its own, and this test brings one: run it on another cluster");
}

async function definitionsOfFlux(): Promise<Manifest[]> {
  const controller = await goModule(kustomizeController, await goModuleVersion(import.meta.dirname, kustomizeController));
  const source = await goModule(sourceController.path, sourceController.version);
  const files = [
    join(controller, "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"),
    ...sources.map((kind) => join(source, `config/crd/bases/source.toolkit.fluxcd.io_${kind}.yaml`)),
  ];
  const definitions = await Promise.all(files.map(async (file): Promise<Manifest> => parse(await readFile(file, "utf8"))));
  return definitions.map(({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, labels: { ...metadata.labels, ...own } } }));
}

async function lastLines(log: string): Promise<string> {
  const lines = (await readFile(log, "utf8")).trimEnd().split("\n");
  return [`kustomize-controller's last lines, of ${log}:`, ...lines.slice(-15)].join("\n");
}
