import { stageJob } from "@rune/crds/contracts/stage";
import type { Client } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { sandboxPod } from "../epochs/sandbox.ts";
import { loaderDocument, statefulSet } from "../model-server/manifests.ts";
import { generatedName, jobNameOfEpoch, sandboxName, sandboxPolicyName } from "../shared/names.ts";
import { config, digestOf, modelServer } from "../testing/objects.ts";
import {
  componentLabels,
  credentialsSecret,
  job,
  jobSpecConfigMap,
  ownChild,
  resourcesOf,
  restrictedPod,
  spentLogins,
  stageDocument,
  stagedModel,
} from "./pod.ts";

const owner = modelServer("coder");
const options = { config, container: "trainer" };
const pvc = { pvc: { claimName: "models", path: "/coder" } };

describe("what pods are made of", () => {
  it("a child of another owner is not its own, even if both have one name", () => {
    const made = job(owner, "coder-a1", { containers: [] }, { ...options, labels: {}, activeDeadlineSeconds: 60 });
    const recreated = { ...owner, metadata: { ...owner.metadata, uid: "another" } };
    expect(ownChild(owner, made)).toBe(made);
    expect(ownChild(recreated, made)).toBeUndefined();
    expect(ownChild(owner, undefined)).toBeUndefined();
  });

  it("the children of a session and an evaluation of one name differ", () => {
    const named = (kind: string) => ({ kind, metadata: { name: "demo" } });
    const childrenOf = (of: { kind: string; metadata: { name: string } }) => [
      jobNameOfEpoch(of, 1),
      sandboxName(of, 1),
      sandboxPolicyName(of),
    ];
    expect(childrenOf(named("AgentSession"))).toEqual(["demo-e1", "demo-s1", "demo-sandbox"]);
    expect(childrenOf(named("Evaluation"))).toEqual(["demo-ev1", "demo-es1", "demo-evaluation"]);
  });

  it("a job is tried once, in one pod, and belongs to its owner", () => {
    const made = job(owner, "coder-a1", { containers: [] }, { ...options, labels: { a: "b" }, activeDeadlineSeconds: 60 });
    expect(made.spec).toMatchObject({
      backoffLimit: 0,
      completionMode: "Indexed",
      completions: 1,
      podReplacementPolicy: "Failed",
      podFailurePolicy: { rules: [{ action: "FailJob", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }] },
      activeDeadlineSeconds: 60,
    });
    expect(made.spec.template).toMatchObject({ metadata: { labels: { a: "b" } }, spec: { restartPolicy: "Never" } });
    expect(made.metadata.ownerReferences).toMatchObject([{ kind: "ModelServer", name: "coder", controller: true }]);
    expect(made.spec).not.toHaveProperty("suspend");
  });

  it("every pod carries the installation's marks, and none of them takes the place of Rune's own", () => {
    const marked = {
      ...config,
      pods: { labels: { "sidecar.istio.io/inject": "false", "rune.dev/component": "x" }, annotations: { "linkerd.io/inject": "disabled" } },
    };
    const server = modelServer("coder");
    const request = {
      owner: server as typeof server & { metadata: { uid: string } },
      epoch: 1,
      uid: 1,
      spec: {},
      caller: "agent" as const,
      token: "",
    };
    const loader = loaderDocument(server, marked, { keys: [] });
    const pods = [
      [
        job(owner, "a", { containers: [] }, { config: marked, container: "agent", labels: componentLabels("agent") }).spec.template,
        "agent",
      ],
      [sandboxPod(request, marked), "runner"],
      [statefulSet(server, marked, loader).spec.template, "vllm"],
    ] as const;
    for (const [{ metadata }, container] of pods) {
      expect(metadata.labels).toMatchObject({ "sidecar.istio.io/inject": "false" });
      expect(metadata.labels?.["rune.dev/component"]).not.toBe("x");
      expect(metadata.annotations).toMatchObject({ "linkerd.io/inject": "disabled", "kubectl.kubernetes.io/default-container": container });
    }
  });

  it("a job in a queue waits for Kueue", () => {
    const made = job(owner, "coder-a1", { containers: [] }, { ...options, labels: {}, queueName: "gpus" });
    expect(made.spec.suspend).toBe(true);
    expect(made.metadata.labels).toMatchObject({ "kueue.x-k8s.io/queue-name": "gpus" });
  });

  it("inputs and credentials of a job can't change under it", () => {
    expect(jobSpecConfigMap(owner, "coder-a1", { spec: { a: 1 } })).toMatchObject({ immutable: true, data: { "spec.json": '{"a":1}' } });
    const secret = credentialsSecret(owner, "coder-a1", { "registry-token": "secret" });
    expect(secret).toMatchObject({ immutable: true, data: { "registry-token": Buffer.from("secret").toString("base64") } });
  });

  it("a login that has served its purpose is an owner's own Secret, never somebody else's of that name", async () => {
    const made = credentialsSecret(owner, "coder-a1", { "registry-token": "secret" });
    const found: Record<string, object> = { "coder-a1": made, "coder-a2": { ...made, metadata: { name: "coder-a2", uid: "u" } } };
    const client = { find: async (_: unknown, { name }: { name: string }) => found[name] } as unknown as Client;
    const registry = { ...config.registry, credentialsSecret: "harbor" };
    const names = ["coder-a1", "coder-a2", "coder-a3"];
    expect(await spentLogins(owner, names, { client }, { registry })).toEqual([made]);
    expect(await spentLogins(owner, names, { client }, config)).toEqual([]);
  });

  it("the token of a model on the hub is the stager's alone, and no part of the model's identity", () => {
    const source = { repository: "org/model", revision: "a".repeat(40) };
    const base = { huggingFace: { ...source, tokenSecret: { name: "hub", key: "token" } } };
    expect(stagedModel(base, config).initContainer.env).toEqual([
      { name: "HF_TOKEN", valueFrom: { secretKeyRef: { name: "hub", key: "token" } } },
    ]);
    expect(stageDocument(base, config).base).toEqual({ huggingFace: source });
    expect(stagedModel(pvc, config).initContainer.env).toBeUndefined();
  });

  it("a model on the hub is staged from a mirror and through a proxy where the installation has them, and no other base is", () => {
    const hub = { endpoint: "https://mirror.example", proxy: "http://proxy.example:3128", noProxy: ".svc,mirror.example" };
    const base = { huggingFace: { repository: "org/model", revision: "a".repeat(40) } };
    expect(stagedModel(base, { ...config, hub }).initContainer.env).toEqual([
      { name: "HF_ENDPOINT", value: hub.endpoint },
      { name: "HTTPS_PROXY", value: hub.proxy },
      { name: "NO_PROXY", value: hub.noProxy },
    ]);
    expect(stagedModel(base, config).initContainer.env).toBeUndefined();
    expect(stagedModel(pvc, { ...config, hub }).initContainer.env).toBeUndefined();
  });

  it("a base on a claim is staged from the claim, and one in the registry with a token", () => {
    expect(stageJob.parse(stageDocument(pvc, config))).toEqual({ base: { pvc: { path: "/volume/coder" } }, target: "/models/base" });
    expect(stagedModel(pvc, config).volumes).toContainEqual({
      name: "base-claim",
      persistentVolumeClaim: { claimName: "models", readOnly: true },
    });
    const document = stageJob.parse(stageDocument(owner.spec.base, config, digestOf("b")));
    expect(document).toMatchObject({ expectedDigest: digestOf("b"), registry: { tokenFile: "/rune/credentials/registry-token" } });
  });

  it("CPU is limited where that is asked for", () => {
    expect(resourcesOf({ cpu: "2", cpuLimit: "3" }, config)).toEqual({ requests: { cpu: "2" }, limits: { cpu: "3" } });
    expect(resourcesOf({ cpuLimit: "3" }, config)).toEqual({ limits: { cpu: "3" } });
  });

  it("memory is limited, CPU is not, and GPUs are counted in the installation's resource", () => {
    expect(resourcesOf({ cpu: "2", memory: "4Gi", gpus: 1 }, { gpuResourceName: "example.com/gpu" })).toEqual({
      requests: { cpu: "2", memory: "4Gi", "example.com/gpu": "1" },
      limits: { memory: "4Gi", "example.com/gpu": "1" },
    });
    expect(resourcesOf({}, config)).toEqual({});
  });

  it("a sandbox has a user ID of its own", () => {
    expect(restrictedPod(100007).securityContext).toMatchObject({ runAsUser: 100007, runAsGroup: 100007 });
  });

  it("a generated name is a DNS label however its parent is called", () => {
    expect(generatedName({ name: "learn", uid: "0123abcd-4567" }, digestOf("e"))).toBe("learn-0123abcd-eeeeeeeeeeeeeeee");
    expect(generatedName({ name: `${"x".repeat(23)}-yz`, uid: "0123abcd-4567" })).toBe(`${"x".repeat(23)}-0123abcd`);
  });
});
