import { cpus } from "node:os";
import { ensureUp, cluster as present } from "../cluster/api.ts";
import { referenceCases } from "../cluster/human-eval.ts";
import { progress } from "../cluster/progress.ts";
import { type Counts, command, counted, gpuImageTests, long, type Stage, unittest, vitest } from "./stages.ts";

/**
 * Everything there is to test, cheapest first. Three long stages are left to `--all`, which is what CI runs. With names of stages as
 * arguments only those. The last line is what counts.
 */
const cluster = { RUNE_TEST_CLUSTER: "1" };
const apiServer = { ...cluster, KUBECONFIG: present().kubeconfig };
const stages: Stage[] = [
  command("check", process.execPath, ["test/check.ts"]),
  vitest("unit", []),
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
  command("kstatus", "env", ["CGO_ENABLED=0", "go", "-C", "test/kstatus", "test", "-trimpath", "./..."]),
  vitest("real registry and NATS", ["clients.integration", "agent.integration", "evaluator.integration"], { RUNE_TEST_SERVICES: "1" }),
  vitest("crds on a real API server", ["crds/crds.cluster.test.ts"], cluster),
  vitest(
    "kopf-ts on a real API server",
    [
      "operator/kopf-ts/src/kubernetes.cluster",
      "operator/kopf-ts/src/handlers/operator.cluster",
      "operator/kopf-ts/pack.cluster",
      "operator/kopf-ts/examples/examples.cluster",
    ],
    apiServer,
  ),
  vitest("jobs on a real cluster", ["controllers/jobs.cluster.test.ts"], apiServer),
  vitest("embedded cluster", ["cluster/embedded.cluster.test.ts", "cluster/down.cluster.test.ts"], cluster),
  gpuImageTests,
  long(vitest("engine fuzz", ["test/engine-fuzz.image.test.ts"], { RUNE_TEST_IMAGES: "1" })),
  // The first of these installs everything; the others go on with what it left.
  vitest("the whole loop", ["test/loop.cluster.test.ts"], cluster),
  long(vitest("minilang", ["test/minilang.cluster.test.ts"], cluster)),
  vitest("chart", ["charts/rune/chart.cluster.test.ts"], cluster),
  vitest("environment check", ["test/environment.cluster.test.ts"], cluster),
  vitest("bad adapters", ["test/bad-adapters.cluster.test.ts"], cluster),
  vitest("bad input", ["test/bad-input.cluster.test.ts"], cluster),
  long(vitest("crashes", ["test/crash.cluster.test.ts"], cluster)),
];

async function main(args: readonly string[]): Promise<void> {
  const wanted = args.filter((each) => each !== "--all");
  const isChosen = ({ name, isLong }: Stage) =>
    wanted.length > 0 ? wanted.some((each) => name.includes(each)) : !isLong || args.includes("--all");
  const chosen = stages.filter(isChosen);
  if (chosen.length === 0)
    throw new Error(`no stage is called ${wanted.join(", ")}; there are: ${stages.map(({ name }) => name).join(", ")}`);
  const total = { passed: 0, failed: 0 };
  const rows: string[] = [];
  const failures: string[] = [];
  for (const stage of chosen) {
    if (stage.name.includes("cluster") || stage.name.includes("API server")) await ensureUp();
    const [from, busyBefore] = [Date.now(), busyMilliseconds()];
    const counts = await progress.step(stage.name, () => outcome(stage));
    total.passed += counts.passed;
    total.failed += counts.failed;
    failures.push(...counts.failures.map((failure) => `${stage.name}: ${failure}`));
    rows.push(row(stage.name, counts, Date.now() - from, busyMilliseconds() - busyBefore));
  }
  const left = stages.filter((stage) => wanted.length === 0 && !isChosen(stage)).map(({ name }) => name);
  const leftOut = left.length > 0 ? `\n\nnot run, for their length: ${left.join(", ")}; npm test -- --all runs them too` : "";
  console.log(`\n${[...failures, "", ...rows].join("\n")}${leftOut}\n\n${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

function row(name: string, { passed, failed, skipped }: Counts, took: number, busy: number): string {
  const cell = (value: number | string, width: number) => String(value).padStart(width);
  const counts = `${cell(passed, 5)} passed ${cell(failed, 4)} failed ${cell(skipped, 4)} skipped`;
  return `${name.padEnd(28)} ${counts} ${cell((took / 60_000).toFixed(1), 6)} min ${cell((busy / took).toFixed(1), 4)} cores busy`;
}

/** Of the machine's CPUs together, since it started. */
const busyMilliseconds = () => cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);

/** A stage that throws has failed; the others still say what they know. */
async function outcome(stage: Stage): Promise<Counts> {
  try {
    return await stage.run();
  } catch (error) {
    console.error(`${stage.name}: ${(error as Error).message}`);
    return { passed: 0, failed: 1, skipped: 0, failures: [(error as Error).message] };
  }
}

await main(process.argv.slice(2));
