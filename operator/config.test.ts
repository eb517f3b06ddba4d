import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseConfig, readStartup } from "./config.ts";

const least = `
operatorNamespace: rune-system
images:
  adapterLoader: { repository: registry.example/adapter-loader, tag: "1.0", digest: "" }
  vllm: { repository: registry.example/vllm, tag: "1.0", digest: "sha256:${"a".repeat(64)}" }
  trainer: { repository: registry.example/trainer }
  agent: { repository: registry.example/agent, tag: "" }
  evaluator: { repository: registry.example/evaluator, tag: "1.0" }
  sandbox: { repository: registry.example/sandbox, tag: "1.0" }
registry: { url: "http://rune-registry.rune-system.svc:5000" }
nats: { url: "nats://rune-nats.rune-system.svc:4222" }
canary: { host: rune-canary.rune-system.svc }
`;

it("an image is named by its digest, else by its tag", () => {
  const { images } = parseConfig(least, "config.yaml");
  expect(images).toMatchObject({
    adapterLoader: "registry.example/adapter-loader:1.0",
    vllm: `registry.example/vllm@sha256:${"a".repeat(64)}`,
    trainer: "registry.example/trainer:latest",
  });
});

it("what is left out has a default", () => {
  expect(parseConfig(least, "config.yaml")).toMatchObject({
    engine: { device: "CUDA", openInference: false },
    sandbox: { uidRange: { start: 100000 } },
    watchNamespaces: [],
    leaderElection: true,
  });
});

it("mistakes are told with the file and the field", () => {
  const refused = () => parseConfig(least.replace("http://rune-registry", "rune-registry"), "/etc/rune/config.yaml");
  expect(refused).toThrow(/\/etc\/rune\/config\.yaml.*\n.*\n?.*registry\.url/s);
});

it("the file and the ports come from the environment", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "rune-operator-")), "config.yaml");
  await writeFile(file, least);
  expect(await readStartup({ RUNE_CONFIG: file, RUNE_HEALTH_PORT: "18080" })).toMatchObject({
    healthPort: 18080,
    canaryPort: 8099,
    tokenPort: 8082,
    logLevel: "info",
  });
  await expect(readStartup({ RUNE_CONFIG: file, RUNE_LOG_LEVEL: "loud" })).rejects.toThrow();
});
