import { mkdir, readFile, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { buildImages } from "../cluster/api.ts";
import { buildah, inStore } from "../cluster/buildah.ts";
import { settings } from "../cluster/settings.ts";
import { attempt } from "../cluster/shell.ts";
import { bin, toolEnvironment } from "./tools.ts";

/** A stage's result. Skipped tests are reported, because a test that never runs can't fail. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /**
   * The failures, one per line, as far as the stage's own report names them: some readers only see the end of a log.
   */
  failures: readonly string[];
}

export interface Stage {
  name: string;
  /** Whether it only runs with `npm test -- --all`. */
  isLong?: boolean;
  /** Whether it needs neither the cluster nor the machine exclusively, and so runs beside the others. */
  isAside?: boolean;
  run(): Promise<Counts>;
}

export const long = (stage: Stage): Stage => ({ ...stage, isLong: true });
export const aside = (stage: Stage): Stage => ({ ...stage, isAside: true });

const show = (line: string) => process.stdout.write(`${line}\n`);

/** Vitest on the files whose paths contain one of these; its JSON report is what counts. A part of no path is a failure. */
export function vitest(name: string, files: readonly string[], environment: Record<string, string> = {}): Stage {
  return {
    name,
    async run() {
      const report = join(settings.out, "test", `${name.replaceAll(/\W+/g, "-")}.json`);
      await mkdir(join(settings.out, "test"), { recursive: true });
      await rm(report, { force: true });
      const command = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...files];
      const { code } = await attempt(bin("vitest"), command, {
        cwd: settings.root,
        env: { ...toolEnvironment, ...environment },
        onLine: show,
      });
      const found: VitestReport = JSON.parse(await readFile(report, "utf8").catch(() => "{}"));
      const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0 } = found;
      const missing = files.filter((file) => !found.testResults?.some((result) => result.name.includes(file)));
      const failed = numFailedTests + (code !== 0 && numFailedTests === 0 ? 1 : 0) + missing.length;
      const failures = [...vitestFailures(found), ...missing.map((file) => `no test file has a path with ${file}`)];
      return { passed: numPassedTests, failed, skipped: numPendingTests, failures };
    },
  };
}

interface VitestReport {
  numPassedTests?: number;
  numFailedTests?: number;
  numPendingTests?: number;
  testResults?: { name: string; status: string; message: string; assertionResults: VitestResult[] }[];
}
interface VitestResult {
  status: string;
  fullName: string;
  failureMessages: string[];
}

function vitestFailures({ testResults = [] }: VitestReport): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((each) => each.status === "failed");
    const lines = failed.map(({ fullName, failureMessages }) => `${fullName}: ${firstLine(failureMessages[0] ?? "")}`);
    const whole = status === "failed" && failed.length === 0 ? [firstLine(message)] : [];
    return [...lines, ...whole].map((line) => `${relative(settings.root, name)}: ${line}`);
  });
}

const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";

/** One command that passes or fails as a whole. */
export function command(name: string, program: string, args: readonly string[]): Stage {
  return {
    name,
    async run() {
      const { code } = await attempt(program, [...args], { cwd: settings.root, onLine: show });
      return code === 0 ? { passed: 1, failed: 0, skipped: 0, failures: [] } : { passed: 0, failed: 1, skipped: 0, failures: [] };
    },
  };
}

/** A command whose last line says "N passed, N failed". */
export function counted(name: string, program: string, args: readonly string[], directory: string): Stage {
  return {
    name,
    async run() {
      const { code, stdout } = await attempt(program, [...args], { cwd: join(settings.root, directory), onLine: show });
      const [, passed = 0, failed = 0] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
      return { passed: Number(passed), failed: Math.max(Number(failed), code === 0 ? 0 : 1), skipped: 0, failures: failuresIn(stdout) };
    },
  };
}

/** Python's unittest on a folder. */
export function unittest(name: string, directory: string): Stage {
  return {
    name,
    async run() {
      const { code, stderr } = await attempt("python3", ["-m", "unittest", "discover", "-s", ".", "-p", "test_*.py"], {
        cwd: join(settings.root, directory),
        onLine: show,
      });
      return pythonCounts(code, stderr);
    },
  };
}

/**
 * The tests of gpu-images, in the trainer's image, because they need torch; the comparison with the engine's rendering
 * in its image. What only tests and builds need is installed just for them.
 */
export const gpuImageTests: Stage = {
  name: "gpu-images",
  async run() {
    const { trainer, vllm } = await buildImages(["trainer", "vllm"]);
    if (!trainer || !vllm) throw new Error("the images were not built");
    let output = "";
    const onLine = (line: string) => {
      output += `${line}\n`;
      show(line);
    };
    await inStore(async () => {
      await inContainer(trainer, async (run) => {
        await run("0", ["sh", "-c", binutils], onLine);
        await run("65532", ["env", ...environment, "sh", "-c", pytests(suites)], onLine);
      });
      await inContainer(vllm, (run) => run("65532", ["env", ...environment, "sh", "-c", pytests(engineSuites)], onLine));
    }).catch((error: Error) => onLine(error.message));
    return pytestCounts(output);
  },
};

type Run = (user: string, command: readonly string[], onLine: (line: string) => void) => Promise<unknown>;

async function inContainer({ repository, tag }: { repository: string; tag: string }, work: (run: Run) => Promise<unknown>): Promise<void> {
  const container = (await buildah(["from", "--pull-never", `${repository}:${tag}`])).trim();
  try {
    await work((user, command, onLine) => buildah(["run", "--user", user, ...volumes, container, "--", ...command], { onLine }));
  } finally {
    await buildah(["rm", container]);
  }
}

const authorities = "/etc/ssl/certs/ca-certificates.crt";
/** Files of other rooms that tests of the images use. */
const shared = ["crds/generated/schema", "crds/vectors"];
const volumes = [
  `${join(settings.root, "gpu-images")}:/work:ro`,
  `${join(settings.root, "examples")}:/examples:ro`,
  ...shared.map((folder) => `${join(settings.root, folder)}:/${folder}:ro`),
  `${authorities}:${authorities}:ro`,
].flatMap((each) => ["--volume", each]);
// Two small processes at once are faster than one whose threads wait for each other.
const environment = ["OMP_NUM_THREADS=1", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/tmp/pytest:src:cpu"];
/** Folder of gpu-images → arguments of pytest. */
type Suites = Record<string, string>;
const suites: Suites = {
  trainer: "tests",
  vllm: "-c cpu/pyproject.toml --rootdir . .",
  models: ".",
  "torch-cpu": ".",
  "../examples/10-minilang/world": "image-tests",
  "../examples/12-libraries/trial": ".",
};
const engineSuites: Suites = { trainer: "engine-tests" };
const binutils = "apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null";
const pytests = (of: Suites) =>
  [
    "python3 -m pip install --quiet --target /tmp/pytest pytest pytest-xdist pyelftools",
    ...Object.entries(of).map(
      ([directory, what]) => `(cd /work/${directory} && python3 -m pytest -q -n auto -p no:cacheprovider ${what}) || true`,
    ),
  ].join(" && ");

/** pytest's closing lines, one per suite; a suite without one did not run, and that is a failure. */
function pytestCounts(output: string): Counts {
  const closing = output.split("\n").filter((line) => /^\d+ (passed|failed|error|skipped).* in [\d.]+s/.test(line));
  const of = (word: string) => closing.reduce((sum, line) => sum + Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0), 0);
  const silent = Object.keys(suites).length + Object.keys(engineSuites).length - closing.length;
  return { passed: of("passed"), failed: of("failed") + of("error") + silent, skipped: of("skipped"), failures: failuresIn(output) };
}

/** Lines in which pytest, unittest and our own runners name what failed. */
const failuresIn = (output: string) => output.split("\n").filter((line) => /^(FAILED|FAIL|ERROR):? /.test(line));

function pythonCounts(code: number, stderr: string): Counts {
  const ran = Number(/^Ran (\d+) tests?/m.exec(stderr)?.[1] ?? 0);
  const of = (word: string) => Number(new RegExp(`${word}=(\\d+)`).exec(stderr)?.[1] ?? 0);
  const failed = of("failures") + of("errors") + (code !== 0 && of("failures") + of("errors") === 0 ? 1 : 0);
  const skipped = of("skipped");
  return { passed: Math.max(0, ran - failed - skipped), failed, skipped, failures: failuresIn(stderr) };
}
