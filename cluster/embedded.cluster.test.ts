import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureUp, kubectl } from "./api.ts";
import { build, referenceOf } from "./build.ts";
import { embedded } from "./embedded.ts";
import { load } from "./load.ts";

// Run with RUNE_TEST_CLUSTER=1, as root. Works in a dedicated namespace and leaves the cluster running.
const namespace = `cluster-test-${process.pid}`;
let image = "";

const k = (...args: string[]) => kubectl(["-n", namespace, ...args]);
const apply = (...objects: object[]) =>
  kubectl(["-n", namespace, "apply", "-f", "-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }) });

type PodOptions = { labels?: Record<string, string>; script?: string; spec?: object; container?: object };

function pod(name: string, { labels = {}, script = "import time; time.sleep(3600)", spec = {}, container = {} }: PodOptions = {}): object {
  const command = ["python3", "-u", "-c", script];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name, ...labels } },
    spec: { terminationGracePeriodSeconds: 0, restartPolicy: "Never", containers: [{ name: "c", image, command, ...container }], ...spec },
  };
}

const denyEgress = (name: string, podSelector: object) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name },
  spec: { podSelector, policyTypes: ["Egress"] },
});

/** Whether a pod can open a TCP connection. */
async function reaches(from: string, host: string, port: number): Promise<boolean> {
  const script = `import socket\ntry: socket.create_connection(("${host}", ${port}), 2); print("yes")\nexcept OSError as e: print("no", e)`;
  return (await k("exec", from, "--", "python3", "-c", script)).startsWith("yes");
}

async function eventually<T>(read: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const value = await read();
    if (done(value) || i === 20) return value;
    await sleep(500);
  }
}

beforeAll(async () => {
  await ensureUp();
  const python = await build("python");
  await load(python);
  image = referenceOf(python);
  await kubectl(["create", "namespace", namespace]);
  // Both directions on one connection, so that a cut shows: the talker prints what the canary echoed.
  const canary = `
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", 8000), Echo).serve_forever()`;
  const readinessProbe = { tcpSocket: { port: 8000 }, periodSeconds: 1 };
  await apply(
    denyEgress("jail", { matchLabels: { role: "jailed" } }),
    pod("canary", { script: canary, container: { readinessProbe, ports: [{ name: "echo", containerPort: 8000 }] } }),
    pod("free"),
    pod("jailed", { labels: { role: "jailed" } }),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "canary" },
      spec: { selector: { app: "canary" }, ports: [{ port: 80, targetPort: "echo" }] },
    },
  );
  await k("wait", "--for=condition=Ready", "pod/canary", "pod/free", "pod/jailed", "--timeout=90s");
}, 300_000);

afterAll(async () => {
  await kubectl(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
});

describe("the network", () => {
  it("lets a pod reach another by address and by its Service's name", async () => {
    const ip = await k("get", "pod", "canary", "-o", "jsonpath={.status.podIP}");
    expect(await reaches("free", ip, 8000)).toBe(true);
    expect(await eventually(() => reaches("free", `canary.${namespace}.svc.cluster.local`, 80), Boolean)).toBe(true);
  });

  it("keeps a pod with denied egress from the canary, from DNS, from the API server and from the node", async () => {
    const ip = await k("get", "pod", "canary", "-o", "jsonpath={.status.podIP}");
    const clusterIP = await k("get", "service", "canary", "-o", "jsonpath={.spec.clusterIP}");
    expect(await reaches("jailed", ip, 8000)).toBe(false);
    expect(await reaches("jailed", clusterIP, 80)).toBe(false);
    expect(await reaches("jailed", "canary", 80)).toBe(false);
    expect(await reaches("jailed", "10.96.0.1", 443)).toBe(false);
    expect(await reaches("jailed", "172.30.0.1", 10250)).toBe(false);
    expect(await reaches("free", "10.96.0.1", 443)).toBe(true);
  }, 60_000);

  it("cuts a connection that was open before the policy", async () => {
    const talk = `
import socket, time
s = socket.create_connection(("canary", 80), 5)
f = s.makefile("rw")
while True:
    f.write("hello\\n"); f.flush(); print(f.readline(), end="", flush=True); time.sleep(0.1)`;
    await apply(pod("talker", { script: talk, labels: { talks: "yes" } }));
    const lines = async () => (await k("logs", "talker").catch(() => "")).split("\n").length;
    expect(await eventually(lines, (n) => n > 10)).toBeGreaterThan(10);
    await apply(denyEgress("hush", { matchLabels: { talks: "yes" } }));
    // A busy machine takes a moment to write the rules and to pass the log on: wait for a silence of two seconds.
    const grown = async () => {
      const before = await lines();
      await sleep(2000);
      return (await lines()) - before;
    };
    expect(await eventually(grown, (n) => n === 0)).toBe(0);
    expect(await k("get", "pod", "talker", "-o", "jsonpath={.status.phase}")).toBe("Running");
  }, 60_000);
});

it("gives volumes to a user who is not root, with the group that the pod asks for", async () => {
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const script = "import os; open('/data/f','w').write('kept'); print(os.stat('/data').st_gid, os.stat('/data/f').st_gid, os.getuid())";
  const spec = {
    securityContext: { runAsUser: 1000, fsGroup: 2000 },
    volumes: [{ name: "d", persistentVolumeClaim: { claimName: "data" } }],
  };
  await apply(claim, pod("writer", { script, spec, container: { volumeMounts: [{ name: "d", mountPath: "/data" }] } }));
  await k("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/writer", "--timeout=60s");
  expect((await k("logs", "writer")).trim()).toBe("2000 2000 1000");
}, 90_000);

it("counts the stand-in GPUs: a pod that asks for too many stays Pending", async () => {
  expect(await kubectl(["get", "node", "node1", "-o", "jsonpath={.status.allocatable.nvidia\\.com/gpu}"])).toBe("8");
  await apply(pod("greedy", { container: { resources: { limits: { "nvidia.com/gpu": "9" } } } }));
  const condition = () => k("get", "pod", "greedy", "-o", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].message}");
  expect(await eventually(condition, (text) => text !== "")).toContain("Insufficient nvidia.com/gpu");
});

it.runIf(embedded.hasGvisor())("runs pods in gVisor where it was asked for, behind the same policies", { timeout: 120_000 }, async () => {
  const spec = { runtimeClassName: "gvisor" };
  await apply(pod("guarded", { spec }), pod("jailed-and-guarded", { spec, labels: { role: "jailed" } }));
  await k("wait", "--for=condition=Ready", "pod/guarded", "pod/jailed-and-guarded", "--timeout=90s");
  expect(await k("exec", "guarded", "--", "python3", "-c", "import os; print(os.uname().release)")).toContain("gvisor");
  expect(await eventually(() => reaches("guarded", "canary", 80), Boolean)).toBe(true);
  const ip = await k("get", "pod", "canary", "-o", "jsonpath={.status.podIP}");
  expect(await reaches("jailed-and-guarded", ip, 8000)).toBe(false);
});

it("does nothing when it is started again", async () => {
  const components = async () => (await embedded.status()).text.match(/^\S+ +pid \d+/gm);
  const before = await components();
  expect(before).toHaveLength(9);
  await ensureUp();
  expect(await components()).toEqual(before);
}, 60_000);
