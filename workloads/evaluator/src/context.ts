import { type Attempt, trajectoryText } from "@rune/clients/prompts/trajectory-text";
import { narrowness } from "@rune/clients/tasks/scope";
import { similarity } from "@rune/clients/tasks/text-similarity";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Scope } from "@rune/crds/fields/scope";
import type { Arm } from "./arms.ts";
import type { PromptContext } from "./world.ts";

/** What a prompt may include from one session. */
export type Experience = { description: string; scope: Scope; notes: readonly string[]; attempts: readonly Attempt[] };
type Context = NonNullable<Arm["context"]>;

const charactersPerToken = 4;
export const noContext: PromptContext = { text: "", trajectories: 0 };

/**
 * Returns the function that renders an arm's context before each task; `experiences` in the order of their artifacts'
 * digests. Empty for an arm without context.
 */
export function contextRenderer(context: Context | undefined, experiences: readonly Experience[]): (task: HeldOutTask) => PromptContext {
  if (!context) return () => noContext;
  const near = nearest(experiences);
  return (task) => {
    const chosen = context.pick === "All" ? experiences : near(task);
    const most = context.maxTokens * charactersPerToken;
    return context.as === "Notes" ? notesOf(chosen, most) : trajectoriesOf(chosen, most);
  };
}

/**
 * Those of the narrowest scope that includes the task's, as a session of that scope would choose an adapter; where
 * there is none, those whose task shares the most words with it, the first in order if several do.
 */
function nearest(experiences: readonly Experience[]): (task: HeldOutTask) => Experience[] {
  const similar = similarity(experiences.map(({ description }) => description));
  return ({ scope, description }) => {
    const narrow = experiences.map((experience) => narrowness(experience.scope, scope ?? {}));
    const narrowest = Math.max(0, ...narrow);
    if (narrowest > 0) return experiences.filter((_, index) => narrow[index] === narrowest);
    const near = similar(description);
    const most = Math.max(0, ...near);
    const like = most > 0 ? experiences[near.indexOf(most)]?.description : undefined;
    return experiences.filter((experience) => experience.description === like);
  };
}

/** Each trajectory in turn, as far as there is room, separated by empty lines. */
function trajectoriesOf(experiences: readonly Experience[], most: number): PromptContext {
  let told = noContext;
  for (const { description, attempts } of experiences) {
    const before = told.text === "" ? "" : `${told.text}\n\n`;
    const text = trajectoryText(description, attempts, (each) => lengthOf(before + each) <= most);
    if (text !== undefined) told = { text: before + text, trajectories: told.trajectories + 1 };
  }
  return told;
}

/** What the sessions noted, each note once, as many as fit. */
function notesOf(experiences: readonly Experience[], most: number): PromptContext {
  const head = "Notes from earlier runs:";
  const told = new Set<string>();
  let [text, trajectories] = [head, 0];
  for (const { notes } of experiences) {
    const before = told.size;
    for (const note of notes) {
      const longer = `${text}\n- ${note}`;
      if (told.has(note) || lengthOf(longer) > most) continue;
      told.add(note);
      text = longer;
    }
    if (told.size > before) trajectories += 1;
  }
  return told.size > 0 ? { text, trajectories } : noContext;
}

/** In characters, as Python counts them: an estimate, so leave room beside it. */
function lengthOf(text: string): number {
  return [...text].length;
}
