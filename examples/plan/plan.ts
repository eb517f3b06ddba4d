import { relative } from "node:path";
import { kubectl } from "@rune/cluster/api";
import { settings } from "@rune/cluster/settings";
import { script, writeFigures } from "../shared/command-line.ts";
import { install } from "../shared/installation.ts";
import { applyKept, condition, emptyNamespace, isOver, list, type Seen, until, words } from "../shared/objects.ts";
import { Timings } from "../shared/timings.ts";
import { type Beside, besideManifests, storeData } from "./data.ts";
import { build, folderOf } from "./kustomize.ts";
import { type Options, optionsFrom, usage } from "./options.ts";
import {
  hasStarted,
  isDone,
  isStuck,
  nameOf,
  ownNamespace,
  type Phase,
  phaseLabel,
  phaseNames,
  phases,
  standing,
  withFailingGate,
} from "./phases.ts";

/** The content of `out/plan.json`. */
export interface Result {
  readonly overlay: string;
  readonly failGate: string | null;
  /** Every object of the plan, in the order of the phases. */
  readonly objects: { phase: Phase; name: string; ready: string; gate: string | null; started: boolean }[];
  /** Phase that could not continue, and its own message; null if the plan reached its end. */
  readonly stopped: { phase: Phase; why: string } | null;
  readonly minutes: number;
  readonly parts: Record<string, number>;
}

const timings = new Timings();

async function main(options: Options): Promise<Result | undefined> {
  const { overlay, namespace, failGate } = options;
  const images = await timings.run("cluster and images", "cluster, images and chart", () => install(options));
  await timings.run("data", "base, corpora and tasks", () => storeData(options, images));
  await emptyNamespace(namespace, ownNamespace);
  const folder = folderOf(overlay);
  const manifests = await build(folder);
  const [first, ...others] = manifests;
  if (first?.kind !== "Namespace") throw new Error(`${folder} doesn't begin with its Namespace`);
  const beside = await besideManifests(options);
  if (beside) await applyKept(`plan/${overlay}/sessions.yaml`, first, ...beside.sessions);
  if (options.dataOnly) {
    if (beside) await applyKept(`plan/${overlay}/tasks.yaml`, beside.heldOut());
    console.log(`\nNow: kubectl apply --server-side -k ${relative(settings.root, folder)}`);
    return undefined;
  }
  if (failGate) await applyKept(`plan/${overlay}/plan.yaml`, first, ...withFailingGate(others, failGate));
  else await kubectl(["apply", "--server-side", "-k", folder]);
  const stopped = await follow(options, beside);
  if (!stopped) await timings.run("generations", "generations after the first", (detail) => generationsOver(namespace, detail));
  return { overlay, failGate: failGate ?? null, objects: await found(namespace), stopped, ...timings.figures };
}

const ofPhase = (namespace: string, phase: Phase) => list<object>("rune", namespace, { [phaseLabel]: phase });

/**
 * Follows the objects, phase by phase, to the end, or to the phase that can't continue. The held-out tasks are written once
 * it is known which sessions solved theirs.
 */
async function follow({ namespace, overlay }: Options, beside: Beside | undefined): Promise<Result["stopped"]> {
  for (const phase of phaseNames) {
    let tasks = phase === "1" ? beside : undefined;
    const look = async () => {
      const objects = await ofPhase(namespace, phase);
      const sessions = objects.filter(({ kind }) => kind === "AgentSession");
      if (!tasks || sessions.length === 0 || !sessions.every(isOver)) return objects;
      await applyKept(`plan/${overlay}/tasks.yaml`, tasks.heldOut(sessions));
      tasks = undefined;
      return objects;
    };
    const objects = await timings.run(`phase ${phase}`, `Phase ${phase}: ${phases[phase]}`, (detail) =>
      until(
        look,
        (seen) => seen.some(isStuck) || (seen.length > 0 && seen.every(isDone)),
        (seen) => detail(standing(seen)),
      ),
    );
    console.log(await kubectl(["get", "rune", "-n", namespace, "-l", `${phaseLabel}=${phase}`]));
    const stuck = objects.find(isStuck);
    if (stuck) return { phase, why: `${nameOf(stuck)}: ${words(stuck)}` };
  }
  return null;
}

/** The first generation ends when it has created the next one. */
async function generationsOver(namespace: string, detail: (text: string) => void): Promise<void> {
  await until(
    () => list<object>("EvolutionGeneration", namespace),
    (seen) => seen.every(isOver),
    (seen) => detail(standing(seen)),
  );
}

async function found(namespace: string): Promise<Result["objects"]> {
  const each = async (phase: Phase) => (await ofPhase(namespace, phase)).map((object) => told(phase, object));
  return (await Promise.all(phaseNames.map(each))).flat();
}

const told = (phase: Phase, object: Seen<object>): Result["objects"][number] => ({
  phase,
  name: nameOf(object),
  ready: words(object),
  gate: condition(object, "GatePassed")?.status ?? null,
  started: hasStarted(object),
});

/** The final report for a person, and whether it is as requested. */
function story({ failGate, objects, stopped, minutes }: Result, { namespace }: Options): { text: string; asAsked: boolean } {
  const early = stopped ? objects.filter(({ phase, started }) => phase >= stopped.phase && started) : [];
  const asAsked = failGate ? stopped !== null && stopped.phase === String(Number(failGate) + 1) && early.length === 0 : stopped === null;
  const end = stopped
    ? `Phase ${stopped.phase} can't continue. ${stopped.why}\n  ${early.length === 0 ? "Neither it nor a later phase has started." : `These have started nevertheless: ${early.map(({ name }) => name).join(", ")}`}`
    : "Every phase has finished.";
  return { text: `\n  ${end}\n  ${minutes} minutes. kubectl get rune -n ${namespace}\n  Figures: out/plan.json\n`, asAsked };
}

await script("The plan", usage, async (argv) => {
  const options = optionsFrom(argv);
  const result = await main(options);
  if (!result) return;
  await writeFigures("plan", result);
  const { text, asAsked } = story(result, options);
  console.log(text);
  if (!asAsked) process.exitCode = 1;
});
