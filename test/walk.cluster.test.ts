import { readFileSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { program } from "../clients/testing/services.ts";
import { cluster, kubectl } from "../cluster/api.ts";
import { settings } from "../cluster/settings.ts";
import { kubectlCommand } from "../cluster/tools.ts";
import type { AgentSession } from "../crds/kinds/agent-session.ts";
import type { Evaluation } from "../crds/kinds/evaluation.ts";
import type { ModelServer } from "../crds/kinds/model-server.ts";
import type { TrainingRun } from "../crds/kinds/training-run.ts";
import { canRun } from "./support/installation.ts";
import { eventually, read, readAll } from "./support/objects.ts";
import { commandsOf, type Ended, PageShell } from "./support/page-commands.ts";

const minutes = 60_000;
const namespace = "walk";
const folder = join(settings.out, "walk");
const sections = commandsOf(readFileSync(join(settings.root, "docs/walk.md"), "utf8"));
const refusals = (sections.get("What is refused") ?? []).flatMap((block) => block.trim().split("\n"));
const show = (text: string) => void process.stdout.write(text);

/**
 * Types the commands of docs/walk.md in their order. From "Log in" on they have the rights of a service account with
 * the role `edit` in one namespace. Only kubectl, crane and oras are put into the shell's path. What an earlier run of
 * it left is deleted first.
 */
describe.skipIf(!canRun)("the walk of docs/walk.md, word for word", { timeout: 40 * minutes }, () => {
  let shell: PageShell;
  let stoppedAt: string | undefined;
  const followed: string[] = [];

  beforeAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, "docker"), { recursive: true });
    await removeNamespace();
    const tools = await Promise.all([program("oras"), program("crane")]);
    shell = await PageShell.open({
      directory: settings.root,
      environment: {
        PATH: [...tools.map((each) => dirname(each)), process.env.PATH].join(":"),
        KUBECONFIG: cluster().kubeconfig,
        // Where oras and crane keep logins.
        DOCKER_CONFIG: join(folder, "docker"),
      },
      programs: { kubectl: (await kubectlCommand()).map((word) => `'${word}'`).join(" ") },
    });
  }, 30 * minutes);
  afterAll(async () => {
    await shell[Symbol.asyncDispose]();
    await kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--wait=false"]);
  }, minutes);

  /** Types a section's blocks; returns what they wrote to stdout. */
  async function follow(section: string): Promise<string> {
    if (stoppedAt) throw new Error(`not tried, because the walk ended before, in ${stoppedAt}`);
    let said = "";
    for (const block of sections.get(section) ?? []) {
      show(`\n${block.replaceAll(/^(?=.)/gm, "$ ")}`);
      const ended = await shell.type(block);
      show(`${ended.stdout}${ended.stderr}`);
      said += ended.stdout;
      if (ended.code === 0) continue;
      stoppedAt = `"${section}"`;
      throw new Error(`${failure(section, ended)}\nIn the namespace then:\n${await standing()}`);
    }
    followed.push(section);
    return said;
  }
  const variable = async (name: string) => (await shell.type(`echo "$${name}"`)).stdout.trim();

  test("an administrator gives somebody the role edit in a fresh namespace, a kubeconfig, and a way to the registry", async () => {
    await follow("An administrator prepares");
    const { users, contexts } = JSON.parse(await readFile(join(folder, "kubeconfig"), "utf8"));
    expect(users).toEqual([{ name: expect.any(String), user: { token: expect.any(String) } }]);
    expect(contexts).toMatchObject([{ context: { namespace } }]);
    for (const port of [5000, 8082]) await eventually(`something listens at port ${port}`, () => isListening(port), Boolean, 1);
  });

  test("with that role alone they log in to the registry", async () => {
    expect(await follow("Log in")).toMatch(/\[get create\][\s\S]*Login Succeeded/);
    expect((await shell.type("kubectl auth whoami -o jsonpath='{.status.userInfo.username}'")).stdout).toBe(
      "system:serviceaccount:walk:walker",
    );
    expect((await shell.type("kubectl auth can-i create rolebindings || true")).stdout).toMatch(/^no\b/);
  });

  test("they push a base model, and its tag leads to the digest that specs name", async () => {
    const [pushed] = (await follow("Bring a base model")).trim().split("\n").slice(-1);
    expect(pushed).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await variable("base")).toBe(pushed);
  });

  test("a server of it answers, and its identity is that of the files", async () => {
    const [printed] = (await follow("Serve it")).trim().split("\n").slice(-1);
    expect(printed).toBe(await variable("identity"));
    const server = await read<ModelServer>("ModelServer", namespace, "lab");
    expect(server.status).toMatchObject({ readyReplicas: 1, baseDigest: printed });
  });

  test("four sessions are solved in two rounds, and a trajectory holds the program that failed and the one that passed", async () => {
    const said = await follow("Run sessions");
    const sessions = await readAll<AgentSession>("AgentSession", namespace);
    expect(sessions.map(({ metadata, status }) => [metadata.name, status?.outcome, status?.rounds])).toEqual(
      ["blim-corv", "corv-dask", "dask-fenn", "fenn-blim"].map((name) => [name, "Solved", 2]),
    );
    expect(said).toMatch(/^Failed: from pipe import \*$[\s\S]*^Passed: from pipe import \*$[\s\S]*\|blim \|dbl \|corv \|inc/m);
  });

  test("a training makes one adapter of the four", async () => {
    const said = await follow("Train");
    const { status } = await read<TrainingRun>("TrainingRun", namespace, "house");
    expect(status?.corpus).toMatchObject({ count: 4, solved: 4 });
    expect(await variable("adapter")).toBe(status?.adapter);
    expect(said).toContain(status?.adapter);
  });

  test("an evaluation measures it on the tasks of a ConfigMap", async () => {
    await follow("Evaluate");
    const { status } = await read<Evaluation>("Evaluation", namespace, "held-out");
    expect(status?.taskSet).toMatchObject({ tasks: 12 });
    expect(status?.arms?.map(({ name, completed }) => [name, completed])).toEqual([
      ["base", 24],
      ["house", 24],
    ]);
  });

  test("the verdict, the assessment and the numbers are read by kubectl, oras and crane", async () => {
    const said = await follow("Read the assessment");
    expect(said.split("\n", 1)).toEqual(["Passed"]);
    expect(said).toMatch(/^# held-out: the gate passed, in a smoke test$/m);
    expect(said).toMatch(/^\{"name":"base","passAt1":0\}$/m);
    expect(said).toMatch(/^\{"name":"house","passAt1":(1|0\.[5-9]\d*)\}$/m);
    expect(await readFile(join(folder, "assessment.html"), "utf8")).toContain("<html");
  });

  test.each(refusals)("they are refused: %s", async (command) => {
    if (stoppedAt) throw new Error(`not tried, because the walk ended before, in ${stoppedAt}`);
    const ended = await shell.type(command);
    show(`\n$ ${command}\n${ended.stdout}${ended.stderr}`);
    expect(ended.code, command).not.toBe(0);
    expect(ended.stderr).toMatch(/unauthorized|denied|forbidden/i);
  });

  test("nothing of the page was left out", () => {
    expect(refusals.length).toBeGreaterThan(3);
    expect([...followed, "What is refused"]).toEqual([...sections.keys()]);
  });
});

/** Servers first: their pods have a long grace period, of which half passes before Kubernetes looks at the namespace again. */
async function removeNamespace(): Promise<void> {
  if ((await kubectl(["get", "namespace", namespace, "--ignore-not-found", "-o", "name"])).trim() === "") return;
  await kubectl(["delete", "modelservers", "--all", "-n", namespace, "--cascade=foreground", "--timeout=3m"]);
  await kubectl(["delete", "namespace", namespace, "--timeout=5m"]);
}

/** Says in its first line which command failed, and how; then what it and the block before it said. */
function failure(section: string, { code, failed, stdout, stderr }: Ended): string {
  const last = stderr.trim().split("\n").at(-1) || stdout.trim().split("\n").at(-1);
  return `docs/walk.md, "${section}": \`${failed}\` ended with exit status ${code}: ${last}\nstdout:\n${stdout}\nstderr:\n${stderr}`;
}

/** What there is in the namespace, for those who read why a command failed. */
async function standing(): Promise<string> {
  const looks = [
    ["get", "rune,pods", "-n", namespace, "-o", "wide"],
    ["get", "rune", "-n", namespace, "-o", conditions],
    ["get", "events", "-n", namespace, "--sort-by=.lastTimestamp"],
  ];
  return (await Promise.all(looks.map((look) => kubectl(look).catch((error: Error) => error.message)))).join("\n");
}

const conditions =
  'jsonpath={range .items[*]}{.kind}/{.metadata.name}{range .status.conditions[*]}{"\\n  "}{.type}={.status} {.reason}: {.message}{end}{"\\n"}{end}';

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
