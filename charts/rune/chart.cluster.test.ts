import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cluster, helm, kubectl } from "@rune/cluster/api";
import { kinds } from "@rune/crds/kinds/kinds";
import { registryToken } from "@rune/operator/credentials/registry-token";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";

const release = `rune-chart-${randomBytes(3).toString("hex")}`;
const team = `${release}-team`;
const definitions = join(import.meta.dirname, "../../crds/generated");
const images = builtImages();
const canRun = process.env.RUNE_TEST_CLUSTER === "1" && existsSync(cluster().kubeconfig) && images !== null;

/** A pod's findings, by the name of the request. */
type Answers = Record<string, { status?: number; challenge?: string; banner?: string; blocked?: string }>;

describe.skipIf(!canRun)("the chart on a real cluster", { timeout: 300_000 }, () => {
  let hadDefinitions: boolean;

  beforeAll(async () => {
    for (const name of [release, team])
      await apply({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
      });
    // Not part of the release, because they are the cluster's.
    hadDefinitions = (await kubectl(["get", "crd", "-o", "name"])).includes(".rune.dev");
    await kubectl(["apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", definitions]);
    await install({ operator: { replicas: 0 } });
  }, 120_000);

  afterAll(async () => {
    await helm(["uninstall", release, "--namespace", release, "--ignore-not-found"]);
    await kubectl(["delete", "namespace", release, team, "--wait=false", "--ignore-not-found"]);
    // Without a release's metadata they would conflict with the next installation.
    if (!hadDefinitions) await kubectl(["delete", "-f", definitions, "--wait=false"]);
  }, 120_000);

  test("registry and NATS wait for the Secret that the operator makes, then everything starts", async () => {
    const nats = ["-n", release, "pod", "-l", "app.kubernetes.io/component=nats"];
    await scheduled(nats);
    // The kubelet needs a moment to report it.
    await expect.poll(() => kubectl(["get", ...nats, "-o", "jsonpath={..ready}"]), { timeout: 30_000, interval: 500 }).not.toBe("");
    expect(await kubectl(["get", ...nats, "-o", "jsonpath={..ready}"])).toBe("false");
    await install({});
    const deployments = ["operator", "registry", "mlflow"].map((name) => `deployment/${release}-${name}`);
    for (const workload of [...deployments, `statefulset/${release}-nats`])
      await kubectl(["rollout", "status", workload, "-n", release, "--timeout=240s"]);
  });

  test("a pod of Rune reaches them by name from another namespace, and the registry asks it for a token", async () => {
    const answers = await ask("agent");
    const realm = `http://${release}-operator.${release}.svc:8082/token`;
    expect(answers.registry).toMatchObject({ status: 401, challenge: `Bearer realm="${realm}",service="rune-registry"` });
    expect(answers.mlflow).toEqual({ status: 200 });
    expect(answers.nats?.banner).toMatch(/^INFO \{.*"auth_required":true/);
  });

  test("a token of the operator opens one repository and no other", async () => {
    const answers = await ask("trainer");
    expect(answers["own repository"]).toEqual({ status: 404 });
    expect(answers["other repository"]?.status).toBe(401);
    expect(answers["deletion in the own repository"]?.status).toBe(401);
  });

  test("a sandbox reaches none of them", async () => {
    for (const [name, answer] of Object.entries(await ask("sandbox"))) expect(answer.blocked, name).toContain("timed out");
  });

  test("the operator's permissions are enough for every kind, in a namespace that admits only restricted pods", async () => {
    for (const { kind, singular } of kinds) {
      const file = join(import.meta.dirname, `../../crds/samples/${kind.toLowerCase()}-minimal.yaml`);
      await kubectl(["apply", "-n", team, "-f", file]);
      const name = parse(readFileSync(file, "utf8")).metadata.name;
      await kubectl(["wait", "-n", team, `${singular}/${name}`, "--for=jsonpath={.status.observedGeneration}=1", "--timeout=60s"]);
    }
    await scheduled(["-n", team, "pod", "-l", "rune.dev/component=vllm"]);
    expect(await kubectl(["logs", "-n", release, `deployment/${release}-operator`])).not.toMatch(/forbidden/i);
  });

  test("the volumes outlive helm uninstall", async () => {
    // The operator must remove its finalizers first; servers before all, because the namespace waits for their grace
    // period.
    await kubectl(["delete", "modelservers", "--all", "-n", team, "--cascade=foreground", "--timeout=120s"]);
    await kubectl(["delete", "namespace", team, "--timeout=120s"]);
    await helm(["uninstall", release, "--namespace", release]);
    const claims = await kubectl(["get", "pvc", "-n", release, "-o", "jsonpath={.items[*].metadata.name}"]);
    expect(claims.split(" ").sort()).toEqual([`${release}-mlflow`, `${release}-registry`, `data-${release}-nats-0`].sort());
  });

  async function install(values: object): Promise<void> {
    const all = stringify({ images, crds: { enabled: false }, rbac: { aggregate: false }, watchNamespaces: [team], ...values });
    await helm(["upgrade", "--install", release, import.meta.dirname, "--namespace", release, "--values", "-"], { input: all });
  }

  /** Runs a pod that sends a request to every service, and returns its findings. */
  async function ask(component: "agent" | "trainer" | "sandbox"): Promise<Answers> {
    const access = [{ repository: "rune/team/adapters", actions: ["pull" as const, "push" as const] }];
    const key = await kubectl(["get", "secret", "rune-keys", "-n", release, "-o", "jsonpath={.data.registry\\.jwk}"]);
    const token = await registryToken(JSON.parse(Buffer.from(key, "base64").toString()), { access, subject: "test", seconds: 300 });
    await apply(asker(component, token));
    await kubectl(["wait", "-n", team, `pod/${component}`, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s"]);
    return JSON.parse(await kubectl(["logs", "-n", team, component]));
  }
});

/** Waits until pods are scheduled. `kubectl wait` alone fails at once if their controller hasn't created them yet. */
async function scheduled(pods: readonly string[]): Promise<void> {
  await expect.poll(() => kubectl(["get", ...pods, "-o", "name"]), { timeout: 60_000, interval: 500 }).not.toBe("");
  await kubectl(["wait", ...pods, "--for=condition=PodScheduled", "--timeout=60s"]);
}

function apply(manifest: object): Promise<string> {
  return kubectl(["apply", "-f", "-"], { input: JSON.stringify(manifest) });
}

/** Locally built images; null if any is missing. */
function builtImages(): Record<string, object> | null {
  const file = join(import.meta.dirname, "../../out/values-images.yaml");
  if (!existsSync(file)) return null;
  const { operator, registry, nats, mlflow } = parse(readFileSync(file, "utf8")).images;
  return operator && registry && nats && mlflow ? { operator, registry, nats, mlflow } : null;
}

/** A pod with Python and the labels of one of Rune's pods. */
function asker(component: string, token: string): object {
  const image = images?.mlflow as { repository: string; digest: string };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: component, namespace: team, labels: { "rune.dev/component": component } },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "asker",
          image: `${image.repository}@${image.digest}`,
          command: ["python3", "-c", script],
          env: [
            { name: "HOST", value: `${release}-%s.${release}.svc` },
            { name: "TOKEN", value: token },
          ],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          resources: { requests: { cpu: "10m", memory: "32Mi" } },
        },
      ],
    },
  };
}

const script = `
import json, os, socket, time, urllib.error, urllib.request
time.sleep(2)  # a policy enforcer may need a moment to know a new pod
address = lambda name: os.environ["HOST"] % name
def http(name, path, token=None, method="GET"):
    headers = {"Authorization": "Bearer " + token} if token else {}
    request = urllib.request.Request("http://%s:5000%s" % (address(name), path), headers=headers, method=method)
    try:
        return {"status": urllib.request.urlopen(request, timeout=4).status}
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate")
        return {"status": error.code, **({"challenge": challenge} if challenge else {})}
    except OSError as error:
        return {"blocked": str(error) or type(error).__name__}
def nats():
    try:
        with socket.create_connection((address("nats"), 4222), timeout=4) as connection:
            return {"banner": connection.recv(4096).decode()}
    except OSError as error:
        return {"blocked": str(error) or type(error).__name__}
token = os.environ["TOKEN"]
manifest = "/v2/%s/manifests/sha256:" + "0" * 64
print(json.dumps({
    "registry": http("registry", "/v2/"),
    "mlflow": http("mlflow", "/api/2.0/mlflow/experiments/search?max_results=1"),
    "nats": nats(),
    "own repository": http("registry", manifest % "rune/team/adapters", token),
    "other repository": http("registry", manifest % "rune/other/adapters", token),
    "deletion in the own repository": http("registry", manifest % "rune/team/adapters", token, "DELETE"),
}))
`;
