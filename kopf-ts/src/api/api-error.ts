import { messageOf } from "../core/errors.ts";

/** `details` of a `metav1.Status`. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  retryAfterSeconds?: number;
  causes?: { reason?: string; message?: string; field?: string }[];
}

/** The API server refused: its `metav1.Status`, with the HTTP status. */
export class ApiError extends Error {
  readonly status: number;
  /** Machine-readable, such as `NotFound`; empty if the answer was no `metav1.Status`. */
  readonly reason: string;
  readonly details: StatusDetails;
  /** Seconds the server asked us to wait, from `Retry-After` or `details.retryAfterSeconds`. */
  readonly retryAfter: number | undefined;

  constructor(answer: { status: number; reason?: string; message: string; details?: StatusDetails; retryAfter?: number }) {
    super(answer.message);
    this.name = "ApiError";
    this.status = answer.status;
    this.reason = answer.reason ?? "";
    this.details = answer.details ?? {};
    this.retryAfter = answer.retryAfter ?? answer.details?.retryAfterSeconds;
  }

  /** From the body of a refused request; whatever is not a `metav1.Status` becomes the message. */
  static fromBody(status: number, body: string, context: { request: string; retryAfter?: number }): ApiError {
    const parsed = parseStatus(body);
    const said = parsed?.message || body.slice(0, 500) || "no further explanation";
    return new ApiError({
      status,
      message: `${context.request} answered ${status}: ${said}`,
      ...(parsed?.reason ? { reason: parsed.reason } : {}),
      ...(parsed?.details ? { details: parsed.details } : {}),
      ...(context.retryAfter === undefined ? {} : { retryAfter: context.retryAfter }),
    });
  }
}

interface Status {
  kind: "Status";
  code?: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

function parseStatus(body: string): Status | undefined {
  try {
    const value = JSON.parse(body) as Status | null;
    return value?.kind === "Status" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The request never got a complete response: connection refused, reset, timed out. */
export class ConnectionError extends Error {
  constructor(request: string, cause: unknown) {
    const reason = messageOf(cause);
    super(`${request} got no answer: ${reason}`, { cause });
    this.name = "ConnectionError";
  }
}

/**
 * A watch sent nothing, not even a bookmark, for longer than servers normally pause: the connection is presumed dead.
 */
export class SilentStreamError extends Error {
  constructor(request: string, milliseconds: number) {
    super(`${request} was silent for ${Math.round(milliseconds / 1000)} s and is opened again`);
    this.name = "SilentStreamError";
  }
}

const hasStatus = (error: unknown, status: number): error is ApiError => error instanceof ApiError && error.status === status;

/** Whether the server would refuse the same request again, whatever other clients write and however long one waits. */
export function isRefusal(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  const isOversized = error.status >= 500 && /too large|larger than max/.test(error.message);
  return isOversized || (error.status >= 400 && error.status < 500 && ![401, 404, 408, 409, 429].includes(error.status));
}

/** Whether a refusal ends without a correction: other objects go and leave room in a quota, or the whole namespace goes. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return /exceeded quota/.test(error.message) || error.details.causes?.some(({ reason }) => reason === "NamespaceTerminating") === true;
}

/** It does not exist (404). */
export const isNotFound = (error: unknown): error is ApiError => hasStatus(error, 404);
/** One of this name exists already (409 AlreadyExists). */
export const isAlreadyExists = (error: unknown): error is ApiError => hasStatus(error, 409) && error.reason === "AlreadyExists";
/** Another client wrote first (or a precondition named another object): read again and decide again. */
export const isConflict = (error: unknown): error is ApiError => hasStatus(error, 409) && error.reason !== "AlreadyExists";
/** The resource version, or the page token, is older than the server's history. */
export const isGone = (error: unknown): error is ApiError => hasStatus(error, 410);
/** The server refuses the object's content (422), or a JSON patch whose test does not hold. */
export const isInvalid = (error: unknown): error is ApiError => hasStatus(error, 422);
/** The RBAC rules, or an admission policy, do not allow it (403). */
export const isForbidden = (error: unknown): error is ApiError => hasStatus(error, 403);
/** The server, or a disruption budget, refuses for now (429). */
export const isTooManyRequests = (error: unknown): error is ApiError => hasStatus(error, 429);
