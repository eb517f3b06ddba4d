import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { cluster, kubectl } from "../cluster/api.ts";
import { settings } from "../cluster/settings.ts";
import type { AgentSession, Task } from "../crds/kinds/agent-session.ts";
import type { ModelServer } from "../crds/kinds/model-server.ts";
import { apiVersion } from "../crds/words/group.ts";
import { label } from "../crds/words/labels.ts";
import type { Manifest } from "../examples/shared/manifests.ts";
import { condition, isTrue } from "../examples/shared/objects.ts";
import { baseName, canRun, complete, logOf, namespace, type Pod, registryOf, system } from "./support/installation.ts";
import { create, eventually, fresh, messageOf, over, read, readAll, reasonOf, remove } from "./support/objects.ts";
import { digestOfLog, forcedSession, type Session, session } from "./support/sessions.ts";

const harmless = "def solve(x):\n    return x";
const once = "assert solve(1) == 1";

describe.skipIf(!canRun)("what people and models get wrong", { timeout: 300_000 }, () => {
  const sessions: string[] = [];
  afterAll(() => remove("AgentSession", namespace, ...sessions), 60_000);

  async function start(manifest: Manifest): Promise<string> {
    await create(manifest);
    sessions.push(manifest.metadata.name);
    return manifest.metadata.name;
  }

  describe("programs and tests that misbehave end their session, not the node", () => {
    const cases: { what: string; program: string; tests: string; outcomes: string[] }[] = [
      { what: "tests that never end", program: harmless, tests: `while solve(1) == 1:\n    pass\n${once}`, outcomes: ["Timeout"] },
      { what: "a program that never ends", program: "def solve(x):\n    while True:\n        pass", tests: once, outcomes: ["Timeout"] },
      {
        what: "tests that print 100 MB, of which the first part is kept",
        program: harmless,
        tests: `for _ in range(100):\n    print("x" * 1_000_000)\nassert solve(1) == 2`,
        outcomes: ["Failed"],
      },
      {
        what: "a program that prints without end",
        program: 'def solve(x):\n    while True:\n        print("x" * 1_000_000)',
        tests: once,
        outcomes: ["Timeout"],
      },
      {
        what: "tests that fork without end",
        program: harmless,
        tests: `import os\nwhile True:\n    os.fork()\n${once}`,
        outcomes: ["Error", "Timeout", "OutOfMemory"],
      },
      {
        what: "a program that forks without end",
        program: "import os\n\ndef solve(x):\n    while True:\n        os.fork()",
        tests: once,
        outcomes: ["Error", "Timeout", "OutOfMemory"],
      },
      {
        what: "a program that takes all memory",
        program: 'def solve(x):\n    return len("x" * (64 << 30))',
        tests: once,
        outcomes: ["OutOfMemory", "Error"],
      },
    ];
    const started = new Map<string, string>();

    test("they are all taken on together", async () => {
      for (const [index, { what, program, tests }] of cases.entries())
        started.set(what, await start(forcedSession(`bad-input-${index}`, program, tests, { attempts: 1 })));
    });

    test.for(cases)("$what", async ({ what, outcomes }) => {
      const ended = await over<Session>("AgentSession", namespace, started.get(what) ?? "");
      expect(ended.status?.outcome).toBe("Exhausted");
      expect(reasonOf(ended, "Solved")).toBe("Exhausted");
      expect(messageOf(ended, "Solved")).not.toBe("");
      const executed = (await logOf(ended.metadata.uid)).filter((record) => record.type === "executed");
      expect(executed.length).toBeGreaterThan(0);
      for (const { execution } of executed) {
        expect(outcomes).toContain(execution.outcome);
        expect(execution.error).not.toBe("");
      }
      expect(ended.status?.trajectory?.digest).toBe(await digestOfLog(ended));
    });

    test("the node feels no pressure, everything else runs, and the engine answers", async () => {
      const [node] = await readAll<{ status: { conditions: { type: string; status: string }[] } }>("Node", namespace);
      for (const { type, status } of node?.status.conditions ?? [])
        expect([type, status]).toEqual([type, type === "Ready" ? "True" : "False"]);
      const running = await readAll<Pod>("Pod", system);
      expect(running.filter(({ status }) => status.phase !== "Running").map(({ metadata }) => metadata.name)).toEqual([]);
      expect((await complete(await baseName(), "1, 2, 3,", 4)).length).toBeGreaterThan(0);
    });

    test("nothing of them is left: no sandbox, and no process of its user", async () => {
      const mine = new Set((await Promise.all([...started.values()].map(session))).map(({ metadata }) => metadata.uid));
      const living = await eventually("their sandboxes are gone", everySandbox, (pods) =>
        pods.every(({ metadata }) => !mine.has(metadata.labels[`${label.component}-owner`] ?? "")),
      );
      if (!cluster().embedded) return;
      const { start, size } = await sandboxUsers();
      const others = new Set(living.map(({ spec }) => spec.securityContext.runAsUser));
      const ofSandboxes = async () => (await processes()).filter(({ user }) => user >= start && user < start + size && !others.has(user));
      await eventually("their users' processes are gone", ofSandboxes, (left) => left.length === 0, 1);
    });
  });

  describe("objects that could never work", () => {
    const tasks: { what: string; change: Partial<Record<keyof Task, string | undefined>>; words: RegExp }[] = [
      { what: "without tests", change: { tests: undefined }, words: /spec\.task\): missing required field "tests"/ },
      { what: "with empty tests", change: { tests: "" }, words: /spec\.task\.tests.*at least 1 chars long/ },
      { what: "whose tests assert nothing", change: { tests: "solve(1)" }, words: /has no assertion, so it could never fail; write tests/ },
      { what: "whose entry point is no name", change: { entryPoint: "a b" }, words: /spec\.task\.entryPoint.*should match/ },
    ];
    test.for(tasks)("the API server refuses a task $what", async ({ change, words }) => {
      const manifest = forcedSession("bad-task", harmless, once);
      const { task } = manifest.spec as { task: Task };
      await expect(create({ ...manifest, spec: { ...manifest.spec, task: { ...task, ...change } } })).rejects.toThrow(words);
    });

    test("a ModelServer whose base isn't in the registry says so, and starts no pod", async () => {
      const name = fresh("bad-base");
      const oci = { repository: "rune/models/nobody", digest: `sha256:${"0".repeat(64)}` };
      await create({ apiVersion, kind: "ModelServer", metadata: { name, namespace }, spec: { base: { oci } } });
      try {
        const server = await eventually(
          "it can't go on",
          () => read<ModelServer>("ModelServer", namespace, name),
          (each) => reasonOf(each, "Ready") === "BaseModelUnavailable",
        );
        expect(messageOf(server, "Ready")).toContain(
          `the registry has no ${oci.repository}@${oci.digest}; push the model, or correct spec.base.oci`,
        );
        expect(await readAll("Pod", namespace, { "rune.dev/server": name })).toEqual([]);
      } finally {
        await remove("ModelServer", namespace, name);
      }
    });

    test("a session for a server that doesn't exist waits and names it", async () => {
      const manifest = forcedSession("no-server", harmless, once, { serverRef: { name: "nobody" } });
      const name = await start(manifest);
      const waiting = await eventually(
        "it waits",
        () => session(name),
        (each) => reasonOf(each, "Ready") === "ServerMissing",
      );
      expect(messageOf(waiting, "Ready")).toContain("the ModelServer nobody doesn't exist");
    });
  });

  test("with the registry away a session that is over waits to be sealed, and is sealed once it is back", {
    timeout: 600_000,
  }, async () => {
    await scale(0);
    try {
      const name = await start(forcedSession("no-registry", harmless, once, { attempts: 1 }));
      const waiting = await eventually(
        "it says why it waits",
        () => session(name),
        (each) => reasonOf(each, "Ready") === "RegistryUnavailable",
        5,
      );
      expect(messageOf(waiting, "Ready")).toMatch(/the work is over \(Solved\), and its trajectory can't be stored/);
      expect(condition(waiting, "Succeeded")?.status).not.toBe("True");
      await scale(1);
      const ended = await over<AgentSession>("AgentSession", namespace, name);
      expect(isTrue(ended, "TrajectorySealed")).toBe(true);
      const { repository = "", digest = "" } = ended.status?.trajectory ?? {};
      expect(digest).toBe(await digestOfLog(ended));
      await (await registryOf(repository)).manifest(repository, digest);
    } finally {
      await scale(1);
    }
  });
});

/** The user IDs that sandboxes get. */
async function sandboxUsers(): Promise<{ start: number; size: number }> {
  return parse(await readFile(join(settings.root, "charts/rune/values.yaml"), "utf8")).sandbox.uidRange;
}

/** The sandboxes of all namespaces; a process of another user in their range was left behind. */
async function everySandbox(): Promise<Pod[]> {
  const pods: { items: Pod[] } = JSON.parse(await kubectl(["get", "pods", "-A", "-l", `${label.component}=sandbox`, "-o", "json"]));
  return pods.items;
}

/** Every process of this machine, which is the embedded cluster's node. */
async function processes(): Promise<{ pid: string; user: number }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const users = await Promise.all(
    pids.map((pid) =>
      stat(`/proc/${pid}`).then(
        ({ uid }) => uid,
        () => -1,
      ),
    ),
  );
  return pids.map((pid, index) => ({ pid, user: users[index] ?? -1 }));
}

async function scale(replicas: number): Promise<void> {
  await kubectl(["scale", "deployment/rune-registry", "-n", system, `--replicas=${replicas}`]);
  await kubectl(["rollout", "status", "deployment/rune-registry", "-n", system, "--timeout=180s"]);
}
