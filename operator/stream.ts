import type { OperatorNats } from "@rune/clients/nats/nats";
import type { Logger } from "kopf-ts";

/** A server that lost its volume gets the stream back after this long at most. */
const intervalMilliseconds = 60_000;
const retryMilliseconds = 5_000;

/** Keeps the stream of the logs in existence until the signal aborts. Nothing else waits for it: jobs don't need NATS, and sessions pause. */
export function keepStream(nats: OperatorNats, logger: Logger, signal: AbortSignal): void {
  let timer: NodeJS.Timeout | undefined;
  let told = "";
  const tell = (state: string, say: () => void) => {
    if (state !== told) say();
    told = state;
  };
  const ensure = async () => {
    try {
      await nats.ensureStream();
      tell("there", () => logger.info("the stream of the session logs is there"));
      next(intervalMilliseconds);
    } catch (error) {
      const { message } = error as Error;
      tell(message, () => logger.warn("the stream of the session logs can't be made now; sessions pause until it can", { error: message }));
      next(retryMilliseconds);
    }
  };
  const next = (milliseconds: number) => {
    if (!signal.aborted) timer = setTimeout(() => void ensure(), milliseconds).unref();
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  void ensure();
}
