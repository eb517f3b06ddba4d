import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import { progress } from "@rune/cluster/progress";
import { run } from "@rune/cluster/shell";
import { pythonWithPeers } from "./python.ts";
import { lines, pictureOf, type Sample, type Summary, summarize } from "./report.ts";
import { type CaseName, cases, type Settings, settingsFrom } from "./settings.ts";
import { type Verdict, verdictsOf } from "./thresholds.ts";

const here = import.meta.dirname;
const out = join(here, "../../out/bench");
const source = join(here, "../../gpu-images/trainer/src");

async function main(): Promise<void> {
  const settings = settingsFrom(process.argv.slice(2));
  const python = settings.python ?? (await pythonWithPeers());
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), memoryGiB: Math.round(totalmem() / 2 ** 30), load: loadavg()[0] };
  const startedAt = new Date();
  const samples: Sample[] = [];
  for (let round = 1; round <= settings.rounds; round += 1) {
    for (const name of settings.only) {
      // Each round begins with the other side, so that drift of the machine affects both alike.
      const sides = round % 2 === 1 ? [...cases[name]] : [...cases[name]].reverse();
      for (const side of sides) samples.push({ round, case: name, side, ...(await measured(python, name, side, settings)) });
      // After each case, so that an interrupted run has reported its results.
      await write(settings, samples, { machine, startedAt: startedAt.toISOString() });
    }
  }
  const summaries = summarize(samples, settings.sizes);
  const verdicts = judged(settings, summaries);
  const said = verdicts.map(({ verdict, words }) => `${verdict}: ${words}\n`).join("");
  process.stdout.write(`\n${lines(summaries)}\n\n${said}written: out/bench/training.json, out/bench/training.svg\n`);
  if (verdicts.some(({ verdict }) => verdict === "missed")) process.exitCode = 1;
}

/** A model of a few million parameters is dominated by what doesn't depend on its size, so the quick form is measured and not judged. */
const judged = ({ form }: Settings, summaries: readonly Summary[]): Verdict[] => (form === "full" ? verdictsOf(summaries) : []);

type Figures = Pick<Sample, "seconds" | "cpuSeconds" | "tokens" | "peakMiB" | "device">;

/** In a separate process, so that each has its own peak of memory. */
function measured(python: string, name: CaseName, side: string, { sizes }: Settings): Promise<Figures> {
  return progress.step(`measuring ${name}, ${side}`, async () => {
    const asked = JSON.stringify({ case: name, side, size: sizes[name] });
    const environment = {
      ...process.env,
      PYTHONPATH: [source, here].join(delimiter),
      HF_HUB_OFFLINE: "1",
      TOKENIZERS_PARALLELISM: "false",
    };
    const said = await run(python, [join(here, "measure.py"), asked], { env: environment });
    return JSON.parse(said.trim().split("\n").at(-1) ?? "") as Figures;
  });
}

async function write(
  settings: Settings,
  samples: readonly Sample[],
  about: { readonly machine: object; readonly startedAt: string },
): Promise<void> {
  const summaries = summarize(samples, settings.sizes);
  const { form, rounds, sizes, only } = settings;
  const verdicts = judged(settings, summaries);
  await mkdir(out, { recursive: true });
  await writeFile(
    join(out, "training.json"),
    `${JSON.stringify({ ...about, form, rounds, sizes, only, verdicts, summaries, samples }, null, 2)}\n`,
  );
  await writeFile(
    join(out, "training.svg"),
    pictureOf(summaries, `${form} form, medians of ${rounds} rounds, ${about.startedAt.slice(0, 10)}`),
  );
}

await main();
