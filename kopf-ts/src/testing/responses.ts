import type { ServerResponse } from "node:http";
import { ApiError } from "../api/api-error.ts";
import { PatchRefused } from "./json-patch.ts";

/** A response, as JSON. */
export function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** A response that is cut off after half of its bytes. */
export function cut(response: ServerResponse, { status, body }: { status: number; body: unknown }): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  response.write(bytes.subarray(0, bytes.length / 2), () => response.socket?.destroy());
}

/** The Status of an error. */
export function refuse(response: ServerResponse, error: unknown): void {
  if (error instanceof PatchRefused) {
    send(response, 422, { kind: "Status", code: 422, reason: "Invalid", message: error.message });
    return;
  }
  if (!(error instanceof ApiError)) {
    send(response, 500, { kind: "Status", code: 500, reason: "InternalError", message: String(error) });
    return;
  }
  const { status, reason, message, details, retryAfter } = error;
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  send(response, status, { kind: "Status", code: status, reason, message, details }, headers);
}
