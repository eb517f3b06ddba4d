import { kinds } from "@rune/crds/kinds/kinds";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { expect, test } from "vitest";
import { trainingRunManifest } from "../00-quickstart/manifests.ts";
import { optionsFrom } from "../00-quickstart/options.ts";
import type { Manifest } from "../shared/manifests.ts";
import { comparisonManifest, quantizedServerManifest, quantizedTrainingManifest } from "./manifests.ts";

const parsed = ({ kind, spec }: Manifest) =>
  kinds
    .find((each) => each.kind === kind)
    ?.spec.strict()
    .parse(spec);

const stored = { repository: "rune/quickstart/things", digest: `sha256:${"0".repeat(64)}` };
const options = optionsFrom([], "cpu");
const arms = { bf16: { server: "coder", adapter: "tessera-1" }, nf4: { server: "coder-nf4", adapter: "tessera-1" } };
const server = quantizedServerManifest("quickstart", { oci: stored });
const learnt = trainingRunManifest("quickstart", { oci: stored }, { ...options, epochs: 2 });
const training = quantizedTrainingManifest("quickstart", parsed(learnt) as TrainingRun["spec"]);
const comparison = comparisonManifest(options, stored, arms);

test("the manifests have nothing but fields that their kinds have", () => {
  for (const manifest of [server, training, comparison]) expect(() => parsed(manifest)).not.toThrow();
});

test("nothing but the quantization tells the two trainings and servers apart, whatever options the first was started with", () => {
  const { sft, ...spec } = parsed(learnt) as TrainingRun["spec"];
  expect(parsed(training)).toEqual({ ...spec, sft: { ...sft, quantization: "NF4" } });
  expect(parsed(server)).toMatchObject({ quantization: "NF4", maxModelLength: 2048 });
});

test("NF4 passes where it loses less than a tenth of bf16's Pass@1", () => {
  expect(parsed(comparison)).toMatchObject({
    arms: [
      { name: "bf16", serverRef: { name: "coder" }, adapter: "tessera-1" },
      { name: "nf4", serverRef: { name: "coder-nf4" }, adapter: "tessera-1" },
    ],
    gate: { candidate: "nf4", baseline: "bf16", maxRelativeDropPercent: 10 },
  });
});
