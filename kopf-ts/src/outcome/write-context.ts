import type { Logger } from "../core/logger.ts";
import type { Recorder } from "./recorder.ts";

/** The pass to which the writes of an Outcome belong. */
export interface WriteContext {
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  /**
   * Passes over the object have kept failing: the condition about it stays until a whole outcome has been carried out.
   */
  readonly failing?: boolean;
}
