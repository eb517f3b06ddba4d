import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { below, type Random, seeded } from "../clients/src/random.ts";
import { progress } from "../cluster/progress.ts";
import { settings } from "../cluster/settings.ts";
import type { LogRecord } from "../crds/src/artifact.ts";
import { label } from "../crds/src/common.ts";
import { isOver } from "../examples/00-quickstart/objects.ts";
import { count } from "../examples/00-quickstart/options.ts";
import { answering, deleteAtOnce, recovered, violationsOf } from "./support/crash.ts";
import { engineCore, signal } from "./support/engine-processes.ts";
import { logOf, namespace, type Pod, system } from "./support/installation.ts";
import { create, readAll, remove } from "./support/objects.ts";
import { forcedSession, type Session, workingSession } from "./support/sessions.ts";

/**
 * `npm run chaos:sessions`: many sessions at once, and somebody is killed every few seconds until all have ended. Each must end with a
 * sealed trajectory equal to its log, in which no step stands twice. It needs the quickstart's installation, and prints what was counted.
 */
const usage = `npm run chaos:sessions -- [options]

  --sessions N   sessions in all (200); every fourth asks the model for real, the others' programs are known
  --seconds N    mean time between two kills (12)
  --seed N       of who is killed when (1)
`;

interface Victim {
  readonly name: string;
  /** How often it is the one, relative to the others. */
  readonly weight: number;
  /** Kills one, or says that there is none now. */
  strike(random: Random): Promise<boolean>;
}

const podOf =
  (inNamespace: string, labels: Record<string, string>): Victim["strike"] =>
  async (random) => {
    const pods = (await readAll<Pod>("Pod", inNamespace, labels)).filter(({ status }) => status.phase === "Running");
    const pod = pods[below(pods.length, random)];
    // What was there a moment ago may have ended by itself.
    return pod ? await succeeded(deleteAtOnce(inNamespace, pod.metadata.name)) : false;
  };

const succeeded = (work: Promise<unknown>) =>
  work.then(
    () => true,
    () => false,
  );

const ofSystem = (component: string) => podOf(system, { "app.kubernetes.io/component": component });
const ofSessions = (component: string) => podOf(namespace, { [label.component]: component });

const victims: readonly Victim[] = [
  { name: "agent", weight: 10, strike: ofSessions("agent") },
  { name: "sandbox", weight: 6, strike: ofSessions("sandbox") },
  { name: "operator", weight: 3, strike: ofSystem("operator") },
  { name: "nats", weight: 1, strike: ofSystem("nats") },
  // It takes a minute to be back, in which all wait.
  { name: "engine", weight: 0.3, strike: () => succeeded(signal(engineCore, "SIGKILL")) },
];

interface Row {
  session: string;
  outcome: string;
  epochs: number;
  lost: number;
  violations: string[];
}

const labels = { "example.org/chaos": "true" };

async function main(asked: { sessions: number; seconds: number; seed: number }): Promise<void> {
  const random = seeded(asked.seed, "chaos");
  await remove("AgentSession", namespace, ...(await sessions()).map(({ metadata }) => metadata.name));
  const manifests = await Promise.all(Array.from({ length: asked.sessions }, (_, index) => sessionAt(index)));
  const began = Date.now();
  await create(...manifests);
  const kills = await progress.step(`${asked.sessions} sessions, and a kill every ${asked.seconds} s`, (detail) =>
    chaos(random, asked.seconds, detail),
  );
  const minutes = (Date.now() - began) / 60_000;
  await recovered();
  await answering();
  const rows = await progress.step("comparing logs, statuses and trajectories", async () => {
    const all: Row[] = [];
    for (const session of await sessions()) all.push(await rowOf(session));
    return all;
  });
  const missing = asked.sessions - rows.length;
  const broken = rows.filter(({ violations }) => violations.length > 0);
  await mkdir(settings.out, { recursive: true });
  await writeFile(join(settings.out, "chaos.json"), `${JSON.stringify({ ...asked, minutes, kills, missing, rows }, null, 2)}\n`);
  console.log(told(rows, kills, minutes));
  for (const { session, violations } of broken) console.log(`${session}: ${violations.join("; ")}`);
  process.exitCode = missing === 0 && broken.length === 0 ? 0 : 1;
}

const sessions = () => readAll<Session>("AgentSession", namespace, labels);

async function sessionAt(index: number) {
  const manifest =
    index % 4 === 0
      ? await workingSession("chaos", index)
      : forcedSession("chaos", `def solve(x):\n    return x + ${index}`, `assert solve(1) == ${index + 1}`);
  const name = `chaos-${index}-${manifest.metadata.name.split("-").at(-1)}`;
  return { ...manifest, metadata: { ...manifest.metadata, name, labels } };
}

/** Kills until every session has ended, and counts whom. */
async function chaos(random: Random, seconds: number, detail: (text: string) => void): Promise<Record<string, number>> {
  const kills: Record<string, number> = {};
  for (;;) {
    await sleep(2000 * seconds * random());
    const open = (await sessions()).filter((session) => !isOver(session)).length;
    detail(`${open} open, ${Object.values(kills).reduce((sum, times) => sum + times, 0)} kills`);
    if (open === 0) return kills;
    const victim = weighted(random);
    if (await victim.strike(random)) kills[victim.name] = (kills[victim.name] ?? 0) + 1;
  }
}

function weighted(random: Random): Victim {
  let left = random() * victims.reduce((sum, { weight }) => sum + weight, 0);
  for (const victim of victims) {
    if (left < victim.weight) return victim;
    left -= victim.weight;
  }
  return victims[0] as Victim;
}

async function rowOf(session: Session): Promise<Row> {
  const records: LogRecord[] = await logOf(session.metadata.uid);
  return {
    session: session.metadata.name,
    outcome: session.status?.outcome ?? "none",
    epochs: session.status?.epoch ?? 0,
    lost: records.filter(({ type }) => type === "lost").length,
    violations: await violationsOf(session, records),
  };
}

function told(rows: readonly Row[], kills: Record<string, number>, minutes: number): string {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const outcomes = Object.entries(Object.groupBy(rows, ({ outcome }) => outcome)).map(([outcome, some]) => `${some?.length} ${outcome}`);
  return [
    `${rows.length} sessions ended in ${minutes.toFixed(1)} minutes: ${outcomes.join(", ")}`,
    `killed: ${Object.entries(kills)
      .map(([name, times]) => `${name} ${times}`)
      .join(", ")}`,
    `${sum(({ epochs }) => epochs)} epochs, ${sum(({ lost }) => lost)} steps lost and repeated, ${rows.filter(({ violations }) => violations.length > 0).length} sessions with a violation`,
  ].join("\n");
}

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    sessions: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
  },
});
if (values.help) console.log(usage);
else {
  await main({
    sessions: count(values.sessions, 200, "--sessions"),
    seconds: count(values.seconds, 12, "--seconds"),
    seed: count(values.seed, 1, "--seed"),
  });
}
