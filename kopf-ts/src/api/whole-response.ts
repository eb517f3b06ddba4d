import type { Dispatcher } from "undici";
import { errorOf } from "../core/errors.ts";
import type { Request } from "./request.ts";

/** A complete response. */
export interface WholeResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** `pool.request` without the stream that it makes of every body, which was a sixth of a pass's CPU (bench/operator, burst). */
export function wholeResponse(
  pool: Dispatcher,
  options: Dispatcher.RequestOptions,
  { signal, admit }: Pick<Request, "signal" | "admit">,
): Promise<WholeResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<WholeResponse>();
  let controller: Dispatcher.DispatchController | undefined;
  const abort = () => {
    reject(signal?.reason);
    controller?.abort(signal?.reason);
  };
  admit?.();
  signal?.throwIfAborted();
  signal?.addEventListener("abort", abort, { once: true });
  let head: Omit<WholeResponse, "text"> | undefined;
  const chunks: Buffer[] = [];
  pool.dispatch(options, {
    onRequestStart(started) {
      controller = started;
      try {
        admit?.();
        signal?.throwIfAborted();
      } catch (error) {
        started.abort(errorOf(error));
      }
    },
    onResponseStart(_, statusCode, headers) {
      // Not informational responses, such as 103.
      if (statusCode >= 200) head = { statusCode, headers };
    },
    onResponseData(_, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      signal?.removeEventListener("abort", abort);
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      resolve({ ...(head as Omit<WholeResponse, "text">), text: body.toString("utf8") });
    },
    onResponseError(_, error) {
      signal?.removeEventListener("abort", abort);
      reject(error);
    },
  });
  return promise;
}
