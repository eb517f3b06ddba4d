import { describe, type KubeObject } from "../api/object.ts";
import type { Context } from "../outcome/reconciler.ts";
import type { Attempted } from "./attempt.ts";
import { UnrecordedError } from "./object-patch.ts";

/** The reason of the Event about an attempt that failed because its result can't be written on the object. */
export const notRecorded = "HandlerNotRecorded";

/** Reports the result of an attempt in the log, and in an Event if a person should know. */
export function report(
  object: KubeObject,
  id: string,
  attempted: Attempted,
  { logger, recorder }: Pick<Context, "logger" | "recorder">,
  until = "until the object changes",
): void {
  if (attempted.ended === "success") {
    if (attempted.ignored) logger.warn(`handler ${id} failed; its errors are ignored`, { error: attempted.ignored });
    return;
  }
  const { message } = attempted.error;
  if (attempted.ended === undefined) {
    logger.warn(`handler ${id} failed and is tried again in ${attempted.again} s`, { error: message });
    if (attempted.error instanceof UnrecordedError) {
      recorder.event(object, { type: "Warning", reason: notRecorded, note: `handler ${id} is called again: ${message}` });
    }
    return;
  }
  logger.error(`handler ${id} failed permanently on ${describe(object)}; it is not tried again ${until}`, {
    error: attempted.error,
  });
  recorder.event(object, { type: "Warning", reason: "HandlerFailed", note: `handler ${id} failed permanently: ${message}` });
}
