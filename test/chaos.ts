import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { below, type Random, seeded, shuffled } from "../clients/statistics/random.ts";
import { progress } from "../cluster/progress.ts";
import { settings } from "../cluster/settings.ts";
import type { LogRecord } from "../crds/contracts/session-log.ts";
import { label } from "../crds/words/labels.ts";
import { count } from "../examples/shared/command-line.ts";
import { isOver } from "../examples/shared/objects.ts";
import { type Chaos, complaints, hitWork, type Kill, type Row, told, type Work, witnessViolations } from "./support/chaos.ts";
import { answering, deleteAtOnce, recovered, violationsOf } from "./support/crash.ts";
import { engineCore, signal } from "./support/engine-processes.ts";
import { logOf, namespace, type Pod, system } from "./support/installation.ts";
import { create, eventually, readAll, remove } from "./support/objects.ts";
import { forcedSession, type Session, workingSession } from "./support/sessions.ts";

/**
 * `npm run chaos:sessions`: many sessions at once, and a component is killed every few seconds until all have ended.
 * Each must end with a sealed trajectory equal to its log, in which no step occurs twice and nothing is missing that
 * was there before. It needs the quickstart's installation, prints the counts and their significance, and fails if it
 * proves nothing.
 */
const usage = `npm run chaos:sessions -- [options]

  --sessions N   total sessions (200); every fourth queries the real model, the others use known programs
  --seconds N    mean time between two kills (12)
  --minutes N    how long to kill at most (180); it then waits up to a third of that for open sessions
  --seed N       of what is killed when (1)
`;

/** Kills a component and returns what was under way there; undefined if there is none now. */
type Strike = (random: Random, mine: readonly Session[]) => Promise<readonly Work[] | undefined>;

interface Victim {
  readonly name: string;
  readonly scope: Kill["scope"];
  /** How often it is chosen, relative to the others. */
  readonly weight: number;
  readonly strike: Strike;
}

const isAtWork = (session: Session) => !isOver(session) && (session.status?.epoch ?? 0) > 0;
const workOf = ({ metadata, status }: Session): Work => ({ session: metadata.name, epoch: status?.epoch ?? 0 });
const ownerOf = (pod: Pod) => pod.metadata.labels[`${label.component}-owner`];

/** Pods that have not been killed or deleted yet. */
const alive = async (inNamespace: string, labels: Record<string, string>) =>
  (await readAll<Pod & { metadata: { deletionTimestamp?: string } }>("Pod", inNamespace, labels)).filter(
    ({ metadata, status }) => status.phase === "Running" && !metadata.deletionTimestamp,
  );

/** An agent or a sandbox of one of these sessions. */
const ofSessions =
  (component: string): Strike =>
  async (random, mine) => {
    const byUID = new Map(mine.map((session) => [session.metadata.uid, session]));
    const pods = (await alive(namespace, { [label.component]: component })).filter((pod) => byUID.has(ownerOf(pod) ?? ""));
    const pod = pods[below(pods.length, random)];
    const session = pod && byUID.get(ownerOf(pod) ?? "");
    if (!session) return undefined;
    await deleteAtOnce(namespace, pod.metadata.name);
    return [{ session: session.metadata.name, epoch: Number(pod.metadata.labels[label.epoch]) }];
  };

const ofSystem =
  (component: string): Strike =>
  async (random, mine) => {
    const pods = await alive(system, { "app.kubernetes.io/component": component });
    const pod = pods[below(pods.length, random)];
    if (!pod) return undefined;
    await deleteAtOnce(system, pod.metadata.name);
    return mine.filter(isAtWork).map(workOf);
  };

const engine: Strike = async (_, mine) => {
  await signal(engineCore, "SIGKILL");
  return mine.filter(isAtWork).map(workOf);
};

const victims: readonly Victim[] = [
  { name: "agent", scope: "Own", weight: 10, strike: ofSessions("agent") },
  { name: "sandbox", scope: "Own", weight: 6, strike: ofSessions("sandbox") },
  { name: "operator", scope: "Shared", weight: 3, strike: ofSystem("operator") },
  { name: "nats", scope: "Shared", weight: 1, strike: ofSystem("nats") },
  // It takes a minute to restart, during which all wait.
  { name: "engine", scope: "Shared", weight: 0.3, strike: engine },
];

const labels = { "example.org/chaos": "true" };
const knownAnswer = "example.org/answer-is-known";

interface Asked {
  readonly sessions: number;
  readonly seconds: number;
  readonly minutes: number;
  readonly seed: number;
}

async function main(asked: Asked): Promise<void> {
  const created = await begin(asked.sessions);
  const began = Date.now();
  const storm = new Storm(asked, created);
  await progress.step(`${asked.sessions} sessions, and a kill every ${asked.seconds} s`, (detail) => storm.rage(detail));
  const minutes = (Date.now() - began) / 60_000;
  const problems = [...storm.problems, ...(await brokenParts(created))];
  const rows = await progress.step("comparing logs, statuses and trajectories", async () => {
    const all: Row[] = [];
    for (const session of await patiently(() => own(created))) all.push(await rowOf(session, storm.witnessed.get(session.metadata.uid)));
    return all;
  });
  const { kills, tries } = storm;
  const witnessed = [...storm.witnessed.values()].reduce((sum, records) => sum + records.length, 0);
  const chaos: Chaos = {
    asked: asked.sessions,
    minutes,
    victims: victims.map(({ name }) => name),
    tries,
    kills,
    rows,
    witnessed,
    problems,
  };
  const wrong = complaints(chaos);
  await mkdir(settings.out, { recursive: true });
  await writeFile(join(settings.out, "chaos.json"), `${JSON.stringify({ ...asked, ...chaos, wrong }, null, 2)}\n`);
  console.log([told(chaos), ...wrong].join("\n"));
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

/** UIDs of the sessions that this run created, once those of an earlier one are deleted. */
async function begin(wanted: number): Promise<ReadonlySet<string>> {
  await remove("AgentSession", namespace, ...(await all()).map(({ metadata }) => metadata.name));
  await eventually("the sessions of an earlier run are deleted", all, (left) => left.length === 0, 5);
  await create(...(await Promise.all(Array.from({ length: wanted }, (_, index) => sessionAt(index)))));
  return new Set((await all()).map(({ metadata }) => metadata.uid));
}

const all = () => readAll<Session>("AgentSession", namespace, labels);
const own = async (created: ReadonlySet<string>) => (await all()).filter(({ metadata }) => created.has(metadata.uid));

async function sessionAt(index: number) {
  const isKnown = index % 4 !== 0;
  const manifest = isKnown
    ? forcedSession("chaos", `def solve(x):\n    return x + ${index}`, `assert solve(1) == ${index + 1}`)
    : await workingSession("chaos", index);
  const name = `chaos-${index}-${manifest.metadata.name.split("-").at(-1)}`;
  return { ...manifest, metadata: { ...manifest.metadata, name, labels: { ...labels, [knownAnswer]: String(isKnown) } } };
}

/** Kills until every session has ended or the time is over, and records each kill, and the logs before it. */
class Storm {
  readonly kills: Kill[] = [];
  readonly tries: Record<string, number> = {};
  readonly problems: string[] = [];
  /** By UID: the longest log that was read of a session at work. */
  readonly witnessed = new Map<string, readonly LogRecord[]>();
  readonly #asked: Asked;
  readonly #created: ReadonlySet<string>;
  readonly #random: Random;
  /**
   * Kinds that haven't been killed in the middle of work yet: every other turn takes the first one, the rest are
   * random.
   */
  #due: Victim[];

  constructor(asked: Asked, created: ReadonlySet<string>) {
    this.#asked = asked;
    this.#created = created;
    this.#random = seeded(asked.seed, "chaos");
    this.#due = shuffled(victims, this.#random);
  }

  async rage(detail: (text: string) => void): Promise<void> {
    const calm = Date.now() + this.#asked.minutes * 60_000;
    const end = calm + (this.#asked.minutes * 60_000) / 3;
    for (;;) {
      await sleep(2000 * this.#asked.seconds * this.#random());
      const mine = await patiently(() => own(this.#created));
      const open = mine.filter((session) => !isOver(session));
      detail(`${open.length} open, ${this.kills.length} kills`);
      if (open.length === 0) return;
      if (Date.now() > end) {
        this.problems.push(`${open.length} sessions were still open after ${Math.round((this.#asked.minutes * 4) / 3)} minutes`);
        return;
      }
      if (Date.now() > calm) continue;
      await this.#witness(open.filter(isAtWork));
      await this.#kill(mine);
    }
  }

  /** What is stored before a kill must be there after it. The last victim may have been NATS. */
  async #witness(working: readonly Session[]): Promise<void> {
    for (const { metadata } of shuffled(working, this.#random).slice(0, 6)) {
      const records = await logOf(metadata.uid).catch(() => []);
      if (records.length > (this.witnessed.get(metadata.uid)?.length ?? 0)) this.witnessed.set(metadata.uid, records);
    }
  }

  async #kill(mine: readonly Session[]): Promise<void> {
    const rows = mine.map(soFar);
    this.#due = shuffled(this.#due, this.#random).filter(
      ({ name }) => !this.kills.some((kill) => kill.victim === name && hitWork(kill, rows)),
    );
    const due = this.#random() < 0.5 ? this.#due[0] : undefined;
    const { name, scope, strike } = due ?? weighted(this.#random);
    this.tries[name] = (this.tries[name] ?? 0) + 1;
    const time = new Date().toISOString();
    // It may have ended by itself since, or be restarting.
    const work = await strike(this.#random, mine).catch(() => undefined);
    if (work) this.kills.push({ victim: name, time, scope, work });
  }
}

const soFar = ({ metadata, status }: Session): Row => ({
  session: metadata.name,
  outcome: status?.outcome ?? "",
  epochs: status?.epoch ?? 0,
  lost: 0,
  violations: [],
});

function weighted(random: Random): Victim {
  let left = random() * victims.reduce((sum, { weight }) => sum + weight, 0);
  for (const victim of victims) {
    if (left < victim.weight) return victim;
    left -= victim.weight;
  }
  return victims[0] as Victim;
}

/** The API server may be slow while others are killed; what keeps failing ends the run. */
async function patiently<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await look();
    } catch (error) {
      if (tries === 10) throw error;
      await sleep(3000);
    }
  }
}

/** Parts that haven't recovered, and parts of these sessions that still run. */
async function brokenParts(created: ReadonlySet<string>): Promise<string[]> {
  const attempt = (work: Promise<unknown>) =>
    work.then(
      () => [],
      (error: Error) => [`the installation isn't as it was: ${error.message.slice(0, 500)}`],
    );
  const ofMine = async (component: string) =>
    (await alive(namespace, { [label.component]: component })).filter((pod) => created.has(ownerOf(pod) ?? ""));
  const survivors = async () => [...(await ofMine("agent")), ...(await ofMine("sandbox"))].map(({ metadata }) => metadata.name);
  return [
    ...(await attempt(recovered())),
    ...(await attempt(answering())),
    ...(await attempt(eventually("no agent or sandbox of an ended session runs", survivors, (names) => names.length === 0, 3))),
  ];
}

async function rowOf(session: Session, witnessed: readonly LogRecord[] = []): Promise<Row> {
  const row = soFar(session);
  if (!isOver(session)) return { ...row, outcome: "" };
  try {
    const records = await logOf(session.metadata.uid);
    const isMistaken = session.metadata.labels?.[knownAnswer] === "true" && row.outcome !== "Solved";
    return {
      ...row,
      lost: records.filter(({ type }) => type === "lost").length,
      violations: [
        ...(isMistaken ? [`its program passes its tests, and it ended ${row.outcome}`] : []),
        ...witnessViolations(witnessed, records),
        ...(await violationsOf(session, records)),
      ],
    };
  } catch (error) {
    return { ...row, violations: [`it can't be checked: ${(error as Error).message}`] };
  }
}

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    sessions: { type: "string" },
    seconds: { type: "string" },
    minutes: { type: "string" },
    seed: { type: "string" },
  },
});
if (values.help) console.log(usage);
else {
  await main({
    sessions: count(values.sessions, 200, "--sessions"),
    seconds: count(values.seconds, 12, "--seconds"),
    minutes: count(values.minutes, 180, "--minutes"),
    seed: count(values.seed, 1, "--seed"),
  });
}
