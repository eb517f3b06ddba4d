import type { KubeObject } from "../api/object.ts";
import { isTimeUp } from "./attempt.ts";
import { type HandlerContext, Invocation, type ObjectView, type ViewParts } from "./context.ts";
import type { Declaration } from "./declarations.ts";
import { emptyPatch } from "./object-patch.ts";
import type { Surroundings } from "./surroundings.ts";

/** A handler's arguments, except its patch. */
export interface Call<T extends KubeObject> {
  readonly view: ViewParts<T>;
  readonly run: Omit<HandlerContext<T>, keyof ObjectView<T> | "patch">;
}

/**
 * One attempt of a timer or a daemon: the handler, then the write of what it requested. A permanently refused write
 * fails the attempt, so that retries and delays apply to it too; what a handler requested before it threw is still
 * written.
 */
export async function runAndWrite<T extends KubeObject>(
  { id, run }: Declaration<T>,
  object: T,
  surroundings: Surroundings<T>,
  call: Call<T>,
): Promise<void> {
  const patch = emptyPatch();
  const { signal, logger } = call.run;
  const write = () => surroundings.writeResult(object, patch, logger);
  let result: unknown;
  try {
    result = await run(new Invocation<T>(call.view, { ...call.run, patch }));
  } catch (thrown) {
    if (!isTimeUp(signal))
      await write().catch((error: unknown) => logger.error("what a handler asked for can never be written", { error }));
    throw thrown;
  }
  if (isTimeUp(signal)) return;
  if (result !== undefined) patch.status[id] = result;
  await write();
}
