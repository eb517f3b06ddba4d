import { describe, expect, it } from "vitest";
import type { PodTemplate } from "../pods/manifest.ts";
import { operatorConfig } from "../shared/config.ts";
import { config, modelServer } from "../testing/objects.ts";
import { engineArguments, engineEnvironment, gpusOf } from "./engine-container.ts";
import { loaderDocument, statefulSet } from "./manifests.ts";
import { egressTo, networkPolicy } from "./network.ts";

const cpu = { ...config, engine: operatorConfig.shape.engine.parse({ device: "CPU" }) };
const template = (server = modelServer(), given = config): PodTemplate =>
  statefulSet(server, given, loaderDocument(server, given, { keys: [] })).spec.template;
const containers = ({ spec }: PodTemplate) => [...(spec.initContainers ?? []), ...spec.containers];

describe("vLLM's command", () => {
  it("pipelines over the stages, keeps tensor parallelism at one, and serves on localhost", () => {
    const text = engineArguments(
      modelServer("coder", { spec: { pipelineParallelSize: 2, adapters: { slots: 3, maxRank: 32 } } }),
      config,
    ).join(" ");
    expect(text).toContain("--pipeline-parallel-size 2 --tensor-parallel-size 1 --distributed-executor-backend mp");
    expect(text).toContain("--enable-lora --max-lora-rank 32 --max-loras 3 --max-cpu-loras 3");
    expect(text).toContain("--host 127.0.0.1 --port 8000 --served-model-name coder");
    expect(text).not.toContain("--enforce-eager");
  });

  it("of a CPU engine is eager, and its stages share the threads", () => {
    const server = modelServer("coder", { spec: { pipelineParallelSize: 2 } });
    expect(engineArguments(server, cpu)).toEqual(expect.arrayContaining(["--enforce-eager", "bfloat16"]));
    expect(engineEnvironment(server, cpu)).toEqual(expect.arrayContaining([{ name: "OMP_NUM_THREADS", value: "1" }]));
  });

  it("asks for one GPU a rank unless the spec says otherwise or the engine has no use for them", () => {
    const server = modelServer("coder", { spec: { pipelineParallelSize: 4 } });
    expect(gpusOf(server, config)).toBe(4);
    expect(gpusOf(server, cpu)).toBe(0);
    expect(gpusOf(modelServer("coder", { spec: { resources: { gpus: 2 } } }), cpu)).toBe(2);
    expect(template(server).spec.containers[0]?.resources?.limits).toEqual({ "nvidia.com/gpu": "4" });
  });
});

describe("a vLLM pod", () => {
  it("stages the model, then starts the loader as a sidecar, then vLLM", () => {
    const { spec } = template();
    expect(spec.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([
      ["stage-model", undefined],
      ["loader", "Always"],
    ]);
    expect(spec.containers.map(({ name }) => name)).toEqual(["vllm"]);
  });

  it("has no token, no privilege and no writable root in any container", () => {
    const pod = template();
    expect(pod.spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    });
    for (const { securityContext } of containers(pod)) {
      expect(securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  it("gives vLLM models and adapters to read only, and credentials to the stager alone", () => {
    const pod = template();
    const mounts = (container: string) => containers(pod).find(({ name }) => name === container)?.volumeMounts ?? [];
    for (const name of ["models", "adapters"]) expect(mounts("vllm").find((mount) => mount.name === name)?.readOnly).toBe(true);
    expect(mounts("stage-model").some(({ name }) => name === "rune-credentials")).toBe(true);
    for (const name of ["vllm", "loader"]) expect(mounts(name).some((mount) => mount.name === "rune-credentials")).toBe(false);
  });

  it("mounts nothing that it doesn't have", () => {
    for (const base of [
      { oci: { repository: "rune/models/coder", digest: `sha256:${"a".repeat(64)}` } },
      { pvc: { claimName: "c", path: "m" } },
    ]) {
      const pod = template(modelServer("coder", { spec: { base } }));
      const volumes = pod.spec.volumes?.map(({ name }) => name);
      for (const { volumeMounts = [] } of containers(pod)) for (const { name } of volumeMounts) expect(volumes).toContain(name);
    }
  });

  it("rolls when its loader's slots change", () => {
    const other = modelServer("coder", { spec: { adapters: { slots: 8, maxRank: 16 } } });
    expect(template(other).metadata.annotations).not.toEqual(template().metadata.annotations);
  });
});

describe("the network of a server", () => {
  it("lets only agents, evaluators, environment checks and its own pods ask, and only the operator administer", () => {
    const { ingress } = networkPolicy(modelServer(), config).spec as { ingress: { from?: object[]; ports: { port: number }[] }[] };
    expect(ingress.map(({ ports }) => ports[0]?.port)).toEqual([8080, 8081, 9090]);
    expect(JSON.stringify(ingress[0]?.from)).toContain('"values":["agent","evaluator","environment"]');
    expect(JSON.stringify(ingress[1]?.from)).toContain("rune-system");
    expect(JSON.stringify(ingress)).not.toContain("8000");
  });

  it("reaches token server and store of a registry with logins of its own, which may be anywhere at 443", () => {
    const at443 = (over: object) => {
      const registry = { ...config.registry, ...over };
      const { egress } = networkPolicy(modelServer(), { ...config, registry }).spec as { egress: object[] };
      return egress.filter((rule) => JSON.stringify(rule) === JSON.stringify({ ports: [{ port: 443, protocol: "TCP" }] }));
    };
    expect(at443({})).toEqual([]);
    expect(at443({ credentialsSecret: "harbor" })).toHaveLength(1);
  });

  it("reaches a mirror of the hub and the proxy before it, where the base is of the hub", () => {
    const hub = { endpoint: "http://mirror.example:8000", proxy: "http://proxy.egress.svc:3128" };
    const egressOf = (base: object) =>
      (networkPolicy(modelServer("coder", { spec: { base } }), { ...config, hub }).spec as { egress: object[] }).egress;
    const wanted = [{ ports: [{ port: 8000, protocol: "TCP" }] }, { to: inNamespace("egress") }];
    expect(egressOf({ huggingFace: { repository: "org/model", revision: "a".repeat(40) } })).toEqual(expect.arrayContaining(wanted));
    for (const rule of wanted) expect(egressOf({ pvc: { claimName: "models", path: "coder" } })).not.toContainEqual(rule);
  });

  const reached = (url: string) => egressTo(url, config);
  const inNamespace = (name: string) => [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } }];

  it("reaches the operator's neighbours only at the registry's port", () => {
    expect(reached("http://rune-registry.rune-system.svc:5000")).toEqual({
      to: inNamespace("rune-system"),
      ports: [{ port: 5000, protocol: "TCP" }],
    });
  });

  it("reaches a registry elsewhere in the cluster by its namespace, one outside by its port", () => {
    expect(reached("http://harbor.registries.svc")).toEqual({ to: inNamespace("registries") });
    expect(reached("https://registry.example")).toEqual({ ports: [{ port: 443, protocol: "TCP" }] });
  });
});
