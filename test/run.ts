import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { ensureUp, cluster as present } from "../cluster/api.ts";
import { referenceCases } from "../cluster/human-eval.ts";
import { progress } from "../cluster/progress.ts";
import { settings } from "../cluster/settings.ts";
import { attempt } from "../cluster/shell.ts";
import { aside, type Counts, command, counted, gpuImageTests, long, type Stage, unittest, vitest } from "./stages.ts";

/**
 * All tests. Four long stages only run with `--all`, which is what CI uses. With names of stages as arguments only
 * those. Stages on a cluster wait more than they compute, so stages that need neither a cluster nor exact times run
 * aside, in a process of lower priority whose output follows when it has ended. The last line is what counts.
 */
const cluster = { RUNE_TEST_CLUSTER: "1" };
const apiServer = { ...cluster, KUBECONFIG: present().kubeconfig };
const stages: Stage[] = [
  // First of those aside: it locks the store of images, from which stages on the cluster load theirs.
  aside(gpuImageTests),
  aside(command("check", process.execPath, ["test/check.ts"])),
  aside(vitest("unit", [])),
  unittest("sandbox", "workloads/sandbox"),
  {
    name: "HumanEval in the sandbox",
    run: async () => await counted("", "python3", ["-B", "references.py", await referenceCases()], "workloads/sandbox").run(),
  },
  unittest("quickstart's scenario", "examples/00-quickstart/scenario"),
  unittest("minilang's world", "examples/10-minilang/world"),
  unittest("private libraries", "examples/12-libraries/world"),
  counted("adversary", "python3", ["-B", "-m", "adversary", "--short"], "workloads/sandbox"),
  command("netpol", "go", ["-C", "cluster/kube", "test", "-trimpath", "./netpol/..."]),
  // -count=1: Go's cache of results doesn't know that the manifests of examples/plan have changed.
  command("kstatus", "env", ["CGO_ENABLED=0", "go", "-C", "test/kstatus", "test", "-count=1", "-trimpath", "./..."]),
  aside(vitest("alerts", ["alerts.integration"], { RUNE_TEST_SERVICES: "1" })),
  vitest(
    "real registry and NATS",
    [
      "clients/registry/registry.integration",
      "clients/nats/log.integration",
      "events.integration",
      "third-party.integration",
      "agent.integration",
      "evaluator.integration",
      "backup.integration",
      "token-server/server.integration",
      "artifacts.integration",
      "inventory.integration",
    ],
    {
      RUNE_TEST_SERVICES: "1",
    },
  ),
  vitest("crds on a real API server", ["crds/crds.cluster.test.ts"], cluster),
  vitest(
    "kopf-ts on a real API server",
    [
      "kopf-ts/src/engine/kubernetes.cluster",
      "kopf-ts/src/handlers/operator.cluster",
      "kopf-ts/pack.cluster",
      "kopf-ts/examples/examples.cluster",
    ],
    apiServer,
  ),
  vitest("jobs on a real cluster", ["controllers/pods/jobs.cluster.test.ts"], apiServer),
  vitest("layers of a sandbox on the cluster", ["test/isolation/isolation.cluster"], cluster),
  vitest("embedded cluster", ["cluster/embedded.cluster.test.ts", "cluster/down.cluster.test.ts"], cluster),
  aside(long(vitest("engine fuzz", ["test/engine-fuzz.image.test.ts"], { RUNE_TEST_IMAGES: "1" }))),
  // The first of these installs everything; the others continue with what it left.
  vitest("the whole loop", ["test/loop.cluster.test.ts"], cluster),
  long(vitest("minilang", ["test/minilang.cluster.test.ts"], cluster)),
  vitest("walk", ["test/walk.cluster.test.ts"], cluster),
  vitest("chart", ["charts/rune/chart.cluster.test.ts"], cluster),
  vitest("environment check", ["test/environment.cluster.test.ts"], cluster),
  vitest("bad adapters", ["test/bad-adapters.cluster.test.ts"], cluster),
  vitest("bad input", ["test/bad-input.cluster.test.ts"], cluster),
  long(vitest("crashes", ["test/crash.cluster.test.ts"], cluster)),
  // Last: it deletes the installation that the others use.
  long(vitest("rebuild", ["test/rebuild.cluster.test.ts"], cluster)),
];

const asideOnly = "--aside";
const asideReport = join(settings.out, "test/aside.json");

/** The stages' results, combined. */
interface Found {
  passed: number;
  failed: number;
  rows: string[];
  failures: string[];
}

async function main(args: readonly string[]): Promise<void> {
  const wanted = args.filter((each) => !each.startsWith("--"));
  const isChosen = ({ name, isLong }: Stage) =>
    wanted.length > 0 ? wanted.some((each) => name.includes(each)) : !isLong || args.includes("--all");
  const chosen = stages.filter(isChosen);
  if (chosen.length === 0)
    throw new Error(`no stage is called ${wanted.join(", ")}; the stages are: ${stages.map(({ name }) => name).join(", ")}`);
  const [apart, others] = [chosen.filter(({ isAside }) => isAside), chosen.filter(({ isAside }) => !isAside)];
  if (args.includes(asideOnly)) return await writeFound(await runAll(apart));
  const both = apart.length > 0 && others.length > 0;
  const all = both ? await Promise.all([runAside(args, apart), runAll(others)]) : [await runAll(chosen)];
  const total = { passed: all.reduce((sum, { passed }) => sum + passed, 0), failed: all.reduce((sum, { failed }) => sum + failed, 0) };
  const lines = [...all.flatMap(({ failures }) => failures), "", ...all.flatMap(({ rows }) => rows)];
  const left = stages.filter((stage) => wanted.length === 0 && !isChosen(stage)).map(({ name }) => name);
  const leftOut = left.length > 0 ? `\n\nnot run because they are long: ${left.join(", ")}; npm test -- --all runs them too` : "";
  const took = `in ${(performance.now() / 60_000).toFixed(1)} min`;
  console.log(`\n${lines.join("\n")}${leftOut}\n\n${took}:\n${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

/** Runs stages one after the other. */
async function runAll(chosen: readonly Stage[]): Promise<Found> {
  const found: Found = { passed: 0, failed: 0, rows: [], failures: [] };
  for (const stage of chosen) {
    if (stage.name.includes("cluster") || stage.name.includes("API server")) await ensureUp();
    const [from, busyBefore] = [Date.now(), busyMilliseconds()];
    const counts = await progress.step(stage.name, () => outcome(stage));
    found.passed += counts.passed;
    found.failed += counts.failed;
    found.failures.push(...counts.failures.map((failure) => `${stage.name}: ${failure}`));
    found.rows.push(row(stage.name, counts, Date.now() - from, busyMilliseconds() - busyBefore));
  }
  return found;
}

/** The same in a separate process. One that ends without a report has failed. */
async function runAside(args: readonly string[], chosen: readonly Stage[]): Promise<Found> {
  const names = chosen.map(({ name }) => name).join(", ");
  progress.say(`in a process beside: ${names}`);
  await writeFound(null);
  const said: string[] = [];
  await attempt("nice", ["-n", "5", process.execPath, "test/run.ts", asideOnly, ...args], {
    cwd: settings.root,
    onLine: (line) => said.push(line),
  });
  console.log(`\nin a process beside: ${names}\n${said.filter((line) => !line.endsWith(" so far")).join("\n")}`);
  const found = JSON.parse(await readFile(asideReport, "utf8")) as Found | null;
  return found ?? { passed: 0, failed: 1, rows: [], failures: [`${names}: the process that ran them ended without a report`] };
}

async function writeFound(found: Found | null): Promise<void> {
  await mkdir(dirname(asideReport), { recursive: true });
  await writeFile(asideReport, JSON.stringify(found));
}

function row(name: string, { passed, failed, skipped }: Counts, took: number, busy: number): string {
  const cell = (value: number | string, width: number) => String(value).padStart(width);
  const counts = `${cell(passed, 5)} passed ${cell(failed, 4)} failed ${cell(skipped, 4)} skipped`;
  return `${name.padEnd(28)} ${counts} ${cell((took / 60_000).toFixed(1), 6)} min ${cell((busy / took).toFixed(1), 4)} cores busy`;
}

/** Of the machine's CPUs together, since it started. */
const busyMilliseconds = () => cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);

/** A stage that throws has failed; the others still report. */
async function outcome(stage: Stage): Promise<Counts> {
  try {
    return await stage.run();
  } catch (error) {
    console.error(`${stage.name}: ${(error as Error).message}`);
    return { passed: 0, failed: 1, skipped: 0, failures: [(error as Error).message] };
  }
}

await main(process.argv.slice(2));
