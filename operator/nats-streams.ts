import type { EventSubscriber, OperatorNats } from "@rune/clients/nats/nats";
import type { OperatorConfig } from "@rune/controllers/shared/config";
import type { Logger } from "kopf-ts";

/** A server that lost its volume gets its streams back after this long at most. */
const intervalMilliseconds = 60_000;
const retryMilliseconds = 5_000;

/** Something in NATS that has to be there, and what its absence means. */
interface Kept {
  readonly name: string;
  readonly without: string;
  readonly ensure: () => Promise<void>;
}

/** Keeps the stream of the logs in existence until the signal aborts. Nothing else waits for it: jobs don't need NATS, and sessions pause. */
export function keepLogStream(nats: OperatorNats, logger: Logger, signal: AbortSignal): void {
  keep(
    { name: "the stream of the session logs", without: "sessions pause until it can", ensure: () => nats.ensureStream() },
    logger,
    signal,
  );
}

/** The same for the stream of events and what delivers them to subscribers. */
export function keepEventStream(
  nats: OperatorNats,
  { retentionDays: days, maxMebibytes: mebibytes }: NonNullable<OperatorConfig["events"]>,
  subscribers: () => Promise<readonly EventSubscriber[]>,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): void {
  const ensure = async () => nats.ensureEventStream({ days, mebibytes }, await subscribers());
  keep({ name: "the stream of events", without: "events wait until it can", ensure }, logger, signal);
}

function keep({ name, without, ensure }: Kept, logger: Logger, signal: AbortSignal): void {
  let timer: NodeJS.Timeout | undefined;
  let told = "";
  const tell = (state: string, say: () => void) => {
    if (state !== told) say();
    told = state;
  };
  const next = (milliseconds: number) => {
    if (!signal.aborted) timer = setTimeout(() => void once(), milliseconds).unref();
  };
  const once = async () => {
    try {
      await ensure();
      tell("there", () => logger.info(`${name} is there`));
      next(intervalMilliseconds);
    } catch (error) {
      const { message } = error as Error;
      tell(message, () => logger.warn(`${name} can't be made now; ${without}`, { error: message }));
      next(retryMilliseconds);
    }
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  void once();
}
