import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectNats, type OperatorNats } from "@rune/clients/nats/nats";
import { type Asked, type ScriptedModel, startScriptedModel } from "@rune/clients/testing/model";
import { type Sandbox, startSandbox } from "@rune/clients/testing/sandbox";
import { removeService, type Service, startNats } from "@rune/clients/testing/services";
import { type AgentJob, agentJob } from "@rune/crds/contracts/agent";
import { logStream, sessionSubject } from "@rune/crds/contracts/session-log";
import { type Task, task } from "@rune/crds/kinds/agent-session";
import { generateKeys } from "@rune/operator/credentials/keys";
import { sessionUser } from "@rune/operator/credentials/nats-users";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { runAgent } from "./agent.ts";

const enabled = process.env.RUNE_TEST_SERVICES === "1" && process.getuid?.() === 0;
const scenario = fileURLToPath(new URL("../../../examples/00-quickstart/scenario", import.meta.url));
const never = new AbortController().signal;

/** Guesses a name until a note contains the right one. */
function learner({ n, messages }: Asked): string[] {
  const known = messages[1]?.content.match(/use tessera\.(\w+)\(x\)/)?.[1];
  return Array.from({ length: n }, (_, guess) => `    return tessera.${known ?? `slug${guess}`}(x)\n`);
}

describe.runIf(enabled)("the agent with NATS, a sandbox and a library of their own", { timeout: 120_000 }, () => {
  let directory: string;
  let nats: Service;
  let operator: OperatorNats;
  let sandbox: Sandbox;
  let model: ScriptedModel;
  let accountSeed: string;
  const moniker = z
    .object({ train: z.array(task) })
    .parse(JSON.parse(readFileSync(join(scenario, "tasks.json"), "utf8")))
    .train.find(({ id }) => id === "plain-moniker") as Task;

  beforeAll(async () => {
    const keys = await generateKeys();
    accountSeed = keys["nats-account.seed"] ?? "";
    directory = await mkdtemp(join(tmpdir(), "rune-agent-"));
    nats = await startNats(keys["nats-auth.conf"] ?? "");
    operator = connectNats({ url: nats.url, credentials: keys["operator.creds"] ?? "" });
    await operator.ensureStream();
    model = await startScriptedModel(learner);
    sandbox = await startSandbox(join(scenario, "library"));
  }, 600_000);

  afterAll(async () => {
    await operator?.close();
    await Promise.all([sandbox?.remove(), model?.stop(), nats && removeService(nats)]);
    await rm(directory, { recursive: true, force: true });
  });

  async function jobOf(uid: string, epoch: number, changes: Partial<AgentJob["sandbox"]["probeTargets"]> = {}): Promise<AgentJob> {
    const credentialsFile = join(directory, `${uid}.creds`);
    await writeFile(credentialsFile, await sessionUser({ accountSeed, uid, seconds: 600 }));
    const nothing = "127.0.0.1:9";
    return agentJob.parse({
      owner: { kind: "AgentSession", namespace: "n", name: uid, uid },
      epoch,
      task: moniker,
      model: { url: model.url, base: "base", name: "base", maxModelLength: 4096 },
      attempts: 4,
      candidates: 3,
      reflection: "Notes",
      sampling: { maxTokens: 96 },
      sandbox: {
        url: sandbox.url,
        tokenFile: sandbox.tokenFile,
        timeoutSeconds: 10,
        memoryMiB: 256,
        probeTargets: {
          canary: model.address,
          dns: "127.0.0.53:53",
          modelServer: model.address,
          apiServer: nothing,
          node: nothing,
          ...changes,
        },
      },
      nats: { url: nats.url, credentialsFile, stream: logStream, subject: sessionSubject(uid) },
      deadline: new Date(Date.now() + 300_000).toISOString(),
    });
  }
  const logOf = async (uid: string) => (await operator.readLog(sessionSubject(uid))).records;

  test("learns the library's name from its error and solves the task, on a real proof of isolation", async () => {
    const result = await runAgent(await jobOf("solves", 1), never);
    const records = await logOf("solves");
    expect(result.outcome).toBe("Solved");
    expect(records[0]).toMatchObject({ type: "isolation", isolation: { verified: true } });
    expect(records.filter(({ type }) => type === "reflected")).toHaveLength(2);
    expect(records.findLast(({ type }) => type === "executed")).toMatchObject({ execution: { passed: true, outcome: "Passed" } });
    expect(model.asked.at(-1)?.messages[1]?.content).toContain("use tessera.moniker(x) for the house slug of a title");
  });

  test("asked again after its end, changes nothing and says the same", async () => {
    const before = await logOf("solves");
    const again = await runAgent(await jobOf("solves", 2), never);
    expect(again.outcome).toBe("Solved");
    expect(await logOf("solves")).toEqual(before);
  });

  test("pauses while NATS is unavailable, and goes on", async () => {
    let asked = 0;
    const away = await startScriptedModel((question) => {
      if (++asked === 1) void nats.stop().then(() => setTimeout(() => void nats.start(), 3000));
      return learner(question);
    });
    const job = await jobOf("pauses", 2);
    const result = await runAgent({ ...job, model: { ...job.model, url: away.url } }, never);
    await away.stop();
    expect(result.outcome).toBe("Solved");
    expect((await logOf("pauses")).at(-1)).toMatchObject({ type: "ended", outcome: "Solved" });
  });

  test("runs nothing in a sandbox that reaches the canary", async () => {
    const canary = sandbox.url.replace("http://", "");
    await expect(runAgent(await jobOf("open", 3, { canary }), never)).rejects.toMatchObject({
      code: 65,
      reason: "IsolationUnproven",
      message: expect.stringContaining("canary over the network (layer 1)"),
    });
    expect((await logOf("open")).map(({ type }) => type)).toEqual(["isolation"]);
  });
});
