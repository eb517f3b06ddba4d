import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemClock } from "@rune/clients/clock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Registry } from "../clients/registry/registry.ts";
import { program, removeService, type Service, startRegistry } from "../clients/testing/services.ts";
import { run } from "../cluster/shell.ts";
import { trajectoryArtifact } from "../controllers/agent-session/trajectory.ts";
import { adapterConfig, mediaType } from "../crds/contracts/artifact.ts";
import { taskSet } from "../crds/contracts/task-set.ts";
import { type Trajectory, trajectory } from "../crds/contracts/trajectory.ts";
import { generateKeys } from "../operator/credentials/keys.ts";
import { registryToken } from "../operator/credentials/registry-token.ts";
import { tokenServerWorld } from "../operator/testing/token-server.ts";
import { fromRegistry } from "../workloads/adapter-loader/src/base-model/oci.ts";
import { assessment } from "../workloads/evaluator/src/assessment.ts";
import { page as htmlOf } from "../workloads/evaluator/src/assessment-page.ts";
import { markdown } from "../workloads/evaluator/src/document.ts";
import { controlled, measuredOf, none, quickstart } from "../workloads/evaluator/src/fake-results.ts";
import { publishReport } from "../workloads/evaluator/src/publish.ts";
import { buildReport, sampleLines } from "../workloads/evaluator/src/report.ts";

const minutes = 60_000;
const told = "rune-registry.rune-system.svc:5000";

const solved: Trajectory = trajectory.parse({
  schema: "rune.dev/trajectory/v1",
  session: { namespace: "team", name: "house-1", uid: "0f1e2d3c" },
  task: { id: "house-1", description: "Return the sum of the list x.", entryPoint: "solve", tests: "assert solve([1]) == 1" },
  scope: { project: "parsers" },
  outcome: "Solved",
  records: [
    { type: "reflected", n: 0, epoch: 1, time: "2026-11-29T12:00:00Z", round: 0, notes: ["sum takes a list"] },
    { type: "ended", n: 1, epoch: 1, time: "2026-11-29T12:00:07Z", outcome: "Solved", message: "solved in round 1" },
  ],
});
const tasks = { schema: "rune.dev/taskset/v1", name: "parsers", tasks: [{ ...solved.task, id: "t1" }] };
const given: Record<string, string | Buffer> = {
  "coder/config.json": '{"model_type":"qwen2"}',
  "coder/model.safetensors": Buffer.alloc(4096, "weights"),
  "coder/tokenizer.json": "{}",
  "tasks.json": JSON.stringify(tasks),
  "corpus.jsonl": `${JSON.stringify({ trajectory: solved })}\n`,
  "lora/adapter_config.json": JSON.stringify({ r: 8, lora_alpha: 16, target_modules: ["v_proj", "q_proj"] }),
  "lora/adapter_model.safetensors": Buffer.alloc(2048, "lora"),
};

/** Runs what artifacts.md says, block by block, as a person of the namespace would. `kubectl` is a stand-in that knows a few answers. */
describe("the commands of artifacts.md", () => {
  let service: Service;
  let tokenServer: Awaited<ReturnType<typeof tokenServerWorld>>;
  let directory: string;
  let host: string;
  let page: string;
  let tokenOf: (repository: string) => Promise<string>;

  beforeAll(async () => {
    const keys = await generateKeys();
    const key = JSON.parse(keys["registry.jwk"] ?? "");
    const ann = { user: { username: "ann" }, audience: "rune-registry", may: ["get team", "create team"] };
    tokenServer = await tokenServerWorld({ key, tokens: { "token-of-ann": ann }, clock: systemClock });
    service = await startRegistry(keys["registry.jwks"] ?? "", tokenServer.url);
    // The one name with which oras speaks plain HTTP by itself.
    host = `localhost:${new URL(service.url).port}`;
    directory = await mkdtemp(join(tmpdir(), "rune-artifacts-"));
    page = await readFile(join(import.meta.dirname, "artifacts.md"), "utf8");
    tokenOf = (repository) =>
      registryToken(key, { subject: "test", access: [{ repository, actions: ["pull", "push"] as const }], seconds: 600 });
    for (const [name, content] of Object.entries(given)) await write(name, content);
    await write("bin/kubectl", await kubectl(), 0o755);
    await run("bash", ["-c", blockWith("oras login")], await here());
  }, 30 * minutes);
  afterAll(async () => {
    await removeService(service);
    await tokenServer.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const registryOf = (repository: string) => new Registry({ url: service.url, token: () => tokenOf(repository) });
  const write = async (name: string, content: string | Buffer, mode = 0o644) => {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content, { mode });
  };
  /** Stores what the page reads; the stand-in for kubectl answers with its digests. */
  const kubectl = async () => {
    const sealed = await registryOf("rune/team/trajectories").push(trajectoryArtifact(solved, "rune/team/trajectories"));
    const half = quickstart.map((passes) => Math.round(passes / 2));
    const job = controlled({ report: { repository: "rune/team/reports" } });
    const measured = measuredOf({ base: none, memory: quickstart, wrong: none, mean: half }, job);
    const report = buildReport(measured);
    const written = assessment(report, measured.ledger);
    const texts = { assessment: markdown(written), page: htmlOf(report, written), samples: sampleLines(measured) };
    const { digest } = await publishReport(registryOf("rune/team/reports"), job, report, texts);
    return `#!/bin/sh
case "$1 $2" in
  "create token") echo token-of-ann ;;
  "get agentsession") printf %s ${sealed.digest} ;;
  "get evaluation") printf %s ${digest} ;;
  *) exit 1 ;;
esac
`;
  };
  const here = async () => {
    const programs = await Promise.all([program("oras"), program("crane")]);
    const path = [join(directory, "bin"), ...programs.map((each) => dirname(each)), process.env.PATH].join(":");
    return { cwd: directory, env: { PATH: path, HOME: directory, DOCKER_CONFIG: directory, REGISTRY: host, LC_ALL: "C" } };
  };
  const blocks = (language: string) =>
    [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, text = ""]) => text.replaceAll(told, host));
  const blockWith = (text: string) => `set -euo pipefail\n${blocks("sh").find((block) => block.includes(text)) ?? "exit 9"}`;
  const pushed = async (text: string, repository: string) => {
    const digest = (await run("bash", ["-c", blockWith(text)], await here())).trim().split("\n").at(-1) ?? "";
    return await registryOf(repository).manifest(repository, digest);
  };

  test("store a base model that pods can stage", async () => {
    const repository = "rune/team/bases/coder";
    const { digest } = await pushed("bases/coder:first", repository);
    await write("token", await tokenOf(repository));
    const registry = { url: service.url, tokenFile: join(directory, "token") };
    const staged = await fromRegistry({ repository, digest }, registry, join(directory, "staged"));
    expect(staged.name).toBe("coder");
    expect(Object.keys(staged.files).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  });

  test("store tasks and a corpus that Rune reads", async () => {
    const { manifest } = await pushed("tasks.json:", "rune/team/tasks");
    expect(manifest.artifactType).toBe(mediaType.taskSet);
    const [layer] = manifest.layers;
    expect(await registryOf("rune/team/tasks").json("rune/team/tasks", layer!, taskSet)).toEqual(taskSet.parse(tasks));
    const corpus = await pushed("corpus.jsonl:", "rune/team/corpora");
    expect(corpus.manifest).toMatchObject({ artifactType: mediaType.corpus, annotations: { "dev.rune.corpus.count": "1" } });
  });

  test("store an adapter whose config Rune reads, and copy it unchanged", async () => {
    const { manifest, digest } = await pushed("uploads:lora", "rune/team/uploads");
    expect(manifest.artifactType).toBe(mediaType.adapter);
    const config = await registryOf("rune/team/uploads").json("rune/team/uploads", manifest.config, adapterConfig);
    expect(config).toMatchObject({ rank: 8, alpha: 16, targetModules: ["q_proj", "v_proj"], base: { name: "coder" } });
    await run("bash", ["-c", blockWith("crane cp")], await here());
    expect(await registryOf("rune/team/uploads").resolveTag("rune/team/uploads", "copied")).toBe(digest);
  });

  test("read a trajectory, a report and its assessment as the page shows", async () => {
    const mark = "---- next";
    const all = blocks("console").join("");
    const commands = [...all.matchAll(/^\$ (.*)$/gm)].map(([, command = ""]) => command);
    const script = ["set -euo pipefail", "trap '' PIPE", ...commands.flatMap((command) => [`echo '${mark}'`, command])].join("\n");
    const said = (await run("bash", ["-c", script], await here())).split(`${mark}\n`).slice(1);
    const shown = all.split(/^\$ .*\n/m).slice(1);
    expect(commands.map((command, at) => `$ ${command}\n${said[at]}`).join("")).toBe(
      commands.map((command, at) => `$ ${command}\n${shown[at]}`).join(""),
    );
  });
});
