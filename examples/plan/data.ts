import type { BuiltImage } from "@rune/cluster/api";
import { humanEvalTasks } from "@rune/cluster/human-eval";
import { settings } from "@rune/cluster/settings";
import { optionsFrom as laboratoryOptions } from "../10-minilang/options.ts";
import { storeBase, storeWorld } from "../10-minilang/world.ts";
import { sessionManifest, taskSetManifest } from "../11-hypothesis/manifests.ts";
import { optionsFrom as hypothesisOptions } from "../11-hypothesis/options.ts";
import { heldOutTasks, solvedOf, trainingTasks, withNearestScope } from "../11-hypothesis/tasks.ts";
import { storeQuickstartModel } from "../shared/base-model.ts";
import type { Manifest } from "../shared/manifests.ts";
import type { Seen } from "../shared/objects.ts";
import { type Digests, writeDigests } from "./kustomize.ts";
import type { Options } from "./options.ts";
import { phaseLabel } from "./phases.ts";

type Images = Readonly<Record<string, BuiltImage>>;

/**
 * Stores the artifacts that an overlay names by digest, and writes the digests where it reads them. The base names its
 * model by the hub's commit.
 */
export async function storeData(options: Options, images: Images): Promise<void> {
  switch (options.overlay) {
    case "minilang":
      return await writeDigests("minilang", await laboratory(options, images));
    case "coder":
      return await writeDigests("coder", { base: (await storeQuickstartModel(options, images.trainer)).digest });
    case "base":
      return;
    default:
      return options.overlay satisfies never;
  }
}

/** The laboratory's short form. */
async function laboratory({ namespace }: Options, { trainer }: Images): Promise<Digests<"minilang">> {
  const options = { ...laboratoryOptions(["--quick"]), namespace };
  const { oci } = await storeBase(options, trainer);
  const { corpora, taskSets } = await storeWorld(options);
  return {
    base: oci?.digest ?? "",
    training: corpora.training.digest,
    "held-out": corpora["held-out"].digest,
    tasks: taskSets.tasks.digest,
    project: corpora.project.digest,
    "project-tasks": taskSets.project.digest,
  };
}

/** Manifests that are generated because they contain HumanEval's tasks, which come from their package and are never typed in. */
export interface Beside {
  /** Phase 1's sessions. */
  readonly sessions: readonly Manifest[];
  /** The held-out tasks, each with the scope of the most similar task that these sessions have solved; without sessions, of the most similar task. */
  heldOut(sessions?: readonly Seen<unknown>[]): Manifest;
}

export async function besideManifests({ overlay, namespace }: Options): Promise<Beside | undefined> {
  if (overlay === "minilang") return undefined;
  const options = { ...hypothesisOptions([], settings.imageVariant), namespace };
  const set = await humanEvalTasks();
  const training = trainingTasks(set, options);
  return {
    sessions: training.map((each) => ofPhase1(sessionManifest(options, each))),
    heldOut(sessions) {
      const solved = sessions ? solvedOf(training, sessions) : training;
      return taskSetManifest(namespace, withNearestScope(heldOutTasks(set, options), solved));
    },
  };
}

const ofPhase1 = ({ metadata, spec, ...manifest }: Manifest): Manifest => ({
  ...manifest,
  metadata: { ...metadata, labels: { [phaseLabel]: "1" } },
  spec: { ...spec, requires: [{ kind: "EnvironmentCheck", name: "environment", condition: "ChecksPassed" }] },
});
