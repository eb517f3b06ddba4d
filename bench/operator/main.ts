import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { progress } from "@rune/cluster/progress";
import { ApiServer } from "./api-server.ts";
import { cores, moveSelf } from "./cores.ts";
import { Api } from "./http.ts";
import { type OperatorName, prepare, versionOf } from "./operators.ts";
import { pictureOf } from "./picture.ts";
import type { Sample } from "./sample.ts";
import { type Settings, settingsFrom, type WorkloadName } from "./settings.ts";
import { spreadOf } from "./statistics.ts";
import { summarize } from "./summary.ts";
import { tables } from "./table.ts";
import { installWidgets } from "./widgets.ts";
import { runTrial } from "./workloads.ts";

const out = join(import.meta.dirname, "../../out/bench");

type Commands = Readonly<Partial<Record<OperatorName, readonly string[]>>>;

/** The same for every round. */
interface RunRecord {
  readonly settings: Settings;
  readonly versions: Readonly<{ [operator: string]: string }>;
  readonly machine: ReturnType<typeof describeMachine>;
  readonly startedAt: Date;
}

async function main(): Promise<void> {
  const settings = settingsFrom(process.argv.slice(2));
  const commands: { [operator: string]: readonly string[] } = {};
  const versions: { [operator: string]: string } = {};
  for (const name of settings.operators) {
    commands[name] = await prepare(name);
    versions[name] = await versionOf(name);
  }
  const record: RunRecord = { settings, versions, machine: describeMachine(), startedAt: new Date() };
  progress.say(`${settings.form} form, ${settings.rounds} rounds; operators on core ${cores.operator}, everything else on ${cores.others}`);
  await moveSelf(cores.others);
  const samples: Sample[] = [];
  for (let round = 1; round <= settings.rounds; round += 1) {
    for await (const measured of runRound(round, settings, commands)) {
      samples.push(...measured);
      // After each workload, so that an interrupted run has reported its results.
      await write(record, samples, round);
    }
  }
  process.stdout.write(`\n${tables(summarize(samples), settings.sizes)}\n\nratios are to controller-runtime; ${disturbance(samples)}\n`);
  process.stdout.write("written: out/bench/operator.json, out/bench/operator.svg\n");
  const failures = samples.filter(({ failed }) => failed !== undefined);
  for (const { operator, workload, round, failed } of failures)
    process.stderr.write(`${workload}, ${operator}, round ${round}: ${failed}\n`);
  if (failures.length > 0) process.exitCode = 1;
}

async function write({ settings, versions, machine, startedAt }: RunRecord, samples: readonly Sample[], round: number): Promise<void> {
  const summaries = summarize(samples);
  const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
  const at = { startedAt: startedAt.toISOString(), seconds, rounds: round };
  const result = { ...at, settings, machine: { ...machine, loadAtTheEnd: loadavg() }, versions, summaries, samples };
  const subtitle = `${at.startedAt.slice(0, 16)}Z, ${settings.form} form, medians of ${round} with spread; ${machine.cores} × ${machine.processor}; operators pinned to one core; ${disturbance(samples)}`;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, "operator.json"), `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(join(out, "operator.svg"), pictureOf(summaries, settings.sizes, subtitle));
}

async function* runRound(round: number, settings: Settings, commands: Commands): AsyncGenerator<Sample[]> {
  const groups = settings.sizes.freshServers ? settings.workloads.map((workload) => [workload]) : [settings.workloads];
  for (const workloads of groups) {
    const wanted = workloads.filter((workload) => isMeasured(workload, round, settings));
    if (wanted.length > 0) yield await onFreshServer(wanted, round, settings, commands);
  }
}

function isMeasured(workload: WorkloadName, round: number, { sizes, rounds }: Settings): boolean {
  return workload === "coldLarge" ? sizes.coldLarge > 0 && round === rounds : true;
}

async function onFreshServer(workloads: readonly WorkloadName[], round: number, settings: Settings, commands: Commands): Promise<Sample[]> {
  const server = await ApiServer.start(cores.others);
  const api = new Api(server.kubeconfigs.load);
  const samples: Sample[] = [];
  try {
    await installWidgets(api);
    for (const workload of workloads) {
      for (const operator of inTurn(settings.operators, round)) {
        if (workload === "memory" && operator !== "kopf-ts" && operator !== "controller-runtime") continue;
        const command = commands[operator] as readonly string[];
        const { sizes, workers } = settings;
        samples.push(await attempt({ workload, operator, round, command, server, api, sizes, workers }));
      }
    }
  } finally {
    api.close();
    await server.stop();
  }
  return samples;
}

async function attempt(trial: Parameters<typeof runTrial>[0]): Promise<Sample> {
  const { workload, operator, round } = trial;
  try {
    const sample = await runTrial(trial);
    progress.say(`round ${round}, ${workload}, ${operator}: ${inShort(sample)}`);
    return sample;
  } catch (error) {
    progress.say(`round ${round}, ${workload}, ${operator}: failed`);
    return { workload, operator, round, units: 0, done: 0, failed: (error as Error).message };
  }
}

function inShort({ unitsPerSecond, cpuMillisecondsPerUnit, p99Milliseconds, rssGrowthMebibytes, done, units }: Sample): string {
  if (rssGrowthMebibytes !== undefined) return `${rssGrowthMebibytes.toFixed(1)} MiB more`;
  const rate = `${unitsPerSecond?.toFixed(0) ?? "?"} units/s, ${cpuMillisecondsPerUnit?.toFixed(2) ?? "?"} ms CPU, p99 ${p99Milliseconds?.toFixed(0) ?? "?"} ms`;
  return done < units ? `${rate}; only ${done} of ${units} in time` : rate;
}

function disturbance(samples: readonly Sample[]): string {
  const shares = spreadOf(samples.map(({ othersOnCore }) => othersOnCore));
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  return shares
    ? `others took ${percent(shares.median)} of the operators' core (median; at most ${percent(shares.max)})`
    : "nothing is known of others";
}

/** Each round begins with another operator, so that none always gets the fresh or the tired server. */
function inTurn(operators: readonly OperatorName[], round: number): readonly OperatorName[] {
  const first = (round - 1) % operators.length;
  return [...operators.slice(first), ...operators.slice(0, first)];
}

function describeMachine() {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGibibytes: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadBefore: loadavg(),
    pinning: cores,
    etcd: "without fsync",
  };
}

// So that child processes end with this one.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
await main();
