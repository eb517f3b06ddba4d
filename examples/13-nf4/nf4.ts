import { settings } from "@rune/cluster/settings";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { type Options, optionsFrom } from "../00-quickstart/options.ts";
import { script, writeFigures } from "../shared/command-line.ts";
import { applyKept, condition, get, type Seen, serverReady, untilOver } from "../shared/objects.ts";
import { Timings } from "../shared/timings.ts";
import {
  type Arms,
  comparisonManifest,
  evaluationName,
  quantized,
  quantizedServerManifest,
  quantizedTrainingManifest,
} from "./manifests.ts";

const usage = `npm run example -- nf4 [options]

  --namespace NAME    namespace of the quickstart's objects (quickstart)

On GPUs the quickstart's adapter is served on a base in bf16 and on one in NF4. vLLM can't serve NF4 on CPUs: there the adapter is
trained again on a base in NF4, and both are served in bf16.
`;

type EvaluationStatus = NonNullable<Evaluation["status"]>;
type TrainingStatus = NonNullable<TrainingRun["status"]>;
type Learnt = Seen<TrainingStatus> & { spec: TrainingRun["spec"] };

const timings = new Timings();

async function main(options: Options): Promise<Seen<EvaluationStatus>> {
  const { namespace } = options;
  const run = (await get<TrainingStatus>("TrainingRun", namespace, "tessera").catch(missing)) as Learnt;
  const held = (await get<EvaluationStatus>("Evaluation", namespace, "tessera-held-out").catch(missing)) as Seen<EvaluationStatus>;
  const { adapter } = run.status ?? {};
  const { repository, digest } = held.status?.taskSet ?? {};
  if (!adapter || !repository || !digest) throw missing();
  const arms = settings.imageVariant === "cuda" ? await served(options, run, adapter) : await trained(options, run, adapter);
  await applyKept("nf4/02-evaluation.yaml", comparisonManifest(options, { repository, digest }, arms));
  return await timings.run("evaluation", `Evaluation ${evaluationName}`, (detail) =>
    untilOver<EvaluationStatus>("Evaluation", namespace, evaluationName, detail),
  );
}

function missing(): never {
  throw new Error(
    "the quickstart's adapter and evaluation don't exist; run `npm run quickstart` first, or pass its namespace with --namespace",
  );
}

/** One adapter on two servers. */
async function served({ namespace }: Options, { spec }: Learnt, adapter: string): Promise<Arms> {
  await applyKept("nf4/01-model-server.yaml", quantizedServerManifest(namespace, spec.base));
  await timings.run("model server", `ModelServer ${quantized.server}`, (detail) => serverReady(namespace, quantized.server, detail));
  return { bf16: { server: "coder", adapter }, nf4: { server: quantized.server, adapter } };
}

/** Two trainings on one server. */
async function trained(options: Options, { spec }: Learnt, adapter: string): Promise<Arms> {
  await applyKept("nf4/01-training-run.yaml", quantizedTrainingManifest(options.namespace, spec));
  const { status } = await timings.run("training", `TrainingRun ${quantized.run}`, (detail) =>
    untilOver<TrainingStatus>("TrainingRun", options.namespace, quantized.run, detail),
  );
  return { bf16: { server: "coder", adapter }, nf4: { server: "coder", adapter: status?.adapter ?? "" } };
}

function figures({ status = {} as EvaluationStatus, ...evaluation }: Seen<EvaluationStatus>) {
  return {
    quantized: settings.imageVariant === "cuda" ? "Serving" : "Training",
    arms: Object.fromEntries((status.arms ?? []).map(({ name, passAt1 }) => [name, passAt1])),
    delta: status.delta ?? null,
    verdict: status.verdict ?? null,
    why: condition({ status, ...evaluation }, "GatePassed")?.message ?? "",
    ...timings.figures,
  };
}

await script("NF4 against bf16", usage, async (argv) => {
  console.log(await writeFigures("nf4", figures(await main(optionsFrom(argv, settings.imageVariant)))));
});
