import type { Adapter } from "@rune/crds/kinds/adapter";
import { methodOf } from "@rune/crds/kinds/methods";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, isTrue, type Outcome, progressing } from "kopf-ts";
import { isResolved } from "../pods/base-model.ts";
import type { Check } from "../shared/check.ts";
import { neverAHypernetwork } from "../shared/hypernetwork-run.ts";
import { Reason } from "../shared/reasons.ts";
import { sharedScope } from "../shared/scope.ts";
import { namedAdapters } from "./methods.ts";
import { RunReason } from "./reasons.ts";
import type { World } from "./world.ts";

/*
 * What a method starts from besides its corpus: adapters to merge, imitate or continue from, and the hypernetwork that
 * generates. What is missing is awaited, what is wrong is reported at once, and what is right is frozen by digest
 * before anything runs.
 */

type Inputs = NonNullable<NonNullable<TrainingRun["status"]>["inputs"]>;

const retrySeconds = 60;

/** Whether the run has such inputs that aren't frozen yet. */
export const hasOpenInputs = (run: TrainingRun): boolean =>
  run.status?.inputs === undefined && (run.spec.generate !== undefined || namedAdapters(run).names.length > 0);

const open = ({ run, adapters }: World): readonly Adapter[] => (hasOpenInputs(run) ? adapters : []);

const adaptersThere: Check<World> = ({ run, adapters }) => {
  const { field, names } = namedAdapters(run);
  const missing = hasOpenInputs(run) ? names.filter((name) => !adapters.some(({ metadata }) => metadata.name === name)) : [];
  if (missing.length === 0) return null;
  const message = `waits for the Adapter ${missing.join(", ")}, which ${field} names and this namespace doesn't have`;
  return { reason: Reason.AdapterMissing, message, retrySeconds };
};

/** A child inherits its parents' knowledge, and a control adapter has none, which merging would hide. */
const parentsKnowSomething: Check<World> = (world) => {
  const { run } = world;
  const control = run.spec.control ? undefined : open(world).find(({ spec }) => spec.control);
  if (!control) return null;
  return {
    reason: RunReason.ControlAdapter,
    message: `${namedAdapters(run).field} names ${control.metadata.name}, a control adapter that knows nothing; name adapters that learnt something in a new run`,
  };
};

const adaptersVerified: Check<World> = (world) => {
  const unverified = open(world).find((adapter) => !isTrue(adapter, ConditionType.Ready));
  if (!unverified) return null;
  const why = getCondition(unverified, ConditionType.Ready)?.message;
  return {
    reason: Reason.AdapterNotReady,
    message: `waits for the Adapter ${unverified.metadata.name} to be verified${why ? `: ${why}` : ""}`,
    retrySeconds,
  };
};

const adaptersOfOneBase: Check<World> = (world) => {
  const [first, ...others] = open(world);
  const other = others.find(({ spec }) => spec.base.digest !== first?.spec.base.digest);
  if (!first || !other) return null;
  return {
    reason: Reason.BaseMismatch,
    message: `${namedAdapters(world.run).field} names adapters of different bases: ${ofBase(first)}, ${ofBase(other)}; changes of different weights have no sum, so name adapters of one base in a new run`,
  };
};

const generatorTrained: Check<World> = ({ run, generatorRun }) => {
  const name = run.spec.generate?.hypernetwork.run;
  if (!name || !hasOpenInputs(run)) return null;
  if (!generatorRun)
    return { reason: RunReason.RunMissing, message: `waits for the TrainingRun ${name}, which this namespace doesn't have`, retrySeconds };
  const never = neverAHypernetwork(generatorRun);
  if (never) return { ...never, message: `${never.message}; name one that trains a hypernetwork, and succeeds, in a new run` };
  return isTrue(generatorRun, ConditionType.Succeeded)
    ? null
    : { reason: RunReason.RunRunning, message: `waits until the TrainingRun ${name} has trained its hypernetwork`, retrySeconds };
};

/** Checked before waiting for its training. */
const generatorRunOfThisBase: Check<World> = ({ run, generatorRun, base }) => {
  const trained = generatorRun?.spec.hypernetwork && generatorRun.status?.baseDigest;
  if (!trained || !hasOpenInputs(run) || !isResolved(base) || trained === base.digest) return null;
  return {
    reason: Reason.BaseMismatch,
    message: otherBase(`the hypernetwork of ${generatorRun.metadata.name} (for ${trained})`, base.digest),
  };
};

const generatorReadable: Check<World> = ({ run, generator }) => {
  if (!generator || !hasOpenInputs(run) || "config" in generator) return null;
  if ("unavailable" in generator)
    return {
      reason: Reason.RegistryUnavailable,
      message: `the hypernetwork can't be read: ${generator.unavailable}; it is tried again`,
      retrySeconds,
    };
  const reason = "missing" in generator ? Reason.ArtifactMissing : Reason.NotAHypernetwork;
  const what = "missing" in generator ? generator.missing : generator.wrong;
  return { reason, message: `${what}; name a hypernetwork's artifact in a new run` };
};

/** A training ended by an alarm is a result, but its hypernetwork isn't used for memory unless `force` is set. */
const generatorSound: Check<World> = ({ run, generator }) => {
  if (!hasOpenInputs(run) || !generator || !("config" in generator) || !generator.config.collapsed || run.spec.generate?.force) return null;
  return {
    reason: RunReason.ModeCollapse,
    message:
      "the training of this hypernetwork ended as collapsed: it makes nearly the same adapter of every trajectory; train another one, or set spec.generate.force in a new run to study it",
  };
};

const adaptersOfThisBase: Check<World> = (world) => {
  const { base } = world;
  const other = isResolved(base) && open(world).find(({ spec }) => spec.base.digest !== base.digest);
  if (!other) return null;
  return { reason: Reason.BaseMismatch, message: otherBase(`the Adapter ${ofBase(other)}`, base.digest) };
};

const generatorOfThisBase: Check<World> = ({ run, generator, base }) => {
  if (!hasOpenInputs(run) || !isResolved(base) || !generator || !("config" in generator)) return null;
  const made = generator.config.base;
  if (made.digest === base.digest) return null;
  return { reason: Reason.BaseMismatch, message: otherBase(`the hypernetwork (for ${made.name}, ${made.digest})`, base.digest) };
};

/** A warm start continues with the existing matrices, so the shapes must match. */
const warmStartFits: Check<World> = (world) => {
  const { sft } = world.run.spec;
  const [parent] = open(world);
  if (!sft?.warmStart || !parent) return null;
  const modules = (names: readonly string[]) => [...new Set(names)].sort().join(", ");
  const pairs = [
    ["rank", sft.rank, parent.spec.rank],
    ["alpha", sft.alpha, parent.spec.alpha],
    ["targetModules", modules(sft.targetModules), modules(parent.spec.targetModules)],
  ] as const;
  const different = pairs.find(([, asked, found]) => asked !== found);
  if (!different) return null;
  const [field, asked, found] = different;
  return {
    reason: RunReason.ShapeMismatch,
    message: `spec.sft.${field} is ${asked}, and the Adapter ${parent.metadata.name} that it goes on from has ${found}; ask for the same in a new run`,
  };
};

/** Checks that don't need the base, or that should fail before anything is awaited. */
export const inputsThere: readonly Check<World>[] = [
  adaptersThere,
  parentsKnowSomething,
  adaptersVerified,
  adaptersOfOneBase,
  generatorRunOfThisBase,
  generatorTrained,
  generatorReadable,
  generatorSound,
];

/** Checks that need the base's identity. */
export const inputsFit: readonly Check<World>[] = [adaptersOfThisBase, generatorOfThisBase, warmStartFits];

/** After all checks have passed: from here on only digests count, whatever happens to the objects. */
export function freezeInputs({ run, base, adapters, generator }: World): Outcome {
  const frozen: Inputs = {
    ...(adapters.length > 0 && { adapters: adapters.map(frozenAdapter) }),
    ...(generator &&
      "config" in generator && {
        hypernetwork: { ...generator.reference, rank: generator.config.rank, collapsed: generator.config.collapsed },
      }),
    ...(!run.spec.corpus && { scope: sharedScope(adapters.map(({ spec }) => spec.scope)) }),
  };
  const words = `starts from ${adapters.map(({ metadata }) => metadata.name).join(", ") || wordsOn(frozen.hypernetwork)}`;
  return progressing(RunReason.InputsFrozen, words, {
    inputs: frozen,
    method: methodOf(run),
    ...(isResolved(base) && { baseDigest: base.digest }),
  })
    .event("Normal", RunReason.InputsFrozen, words)
    .atOnce();
}

const wordsOn = (hypernetwork: Inputs["hypernetwork"]) =>
  `the hypernetwork ${hypernetwork?.digest}${hypernetwork?.collapsed ? ", whose training ended as collapsed, because spec.generate.force is true" : ""}`;

const frozenAdapter = ({ metadata, spec }: Adapter) => ({
  name: metadata.name,
  repository: spec.artifact.repository,
  digest: spec.artifact.digest,
  rank: spec.rank,
  generation: spec.generation,
});

const ofBase = ({ metadata, spec }: Adapter) => `${metadata.name} (for ${spec.base.name}, ${spec.base.digest})`;
const otherBase = (what: string, digest: string) =>
  `${what} was made for another base than spec.base, whose identity is ${digest}; name what was made for this base in a new run`;
