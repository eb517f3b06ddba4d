/** Requests by verb; a write to the status is its own verb, such as `update status`. */
export type Requests = Readonly<Record<string, number>>;

interface AuditEvent {
  stage: string;
  verb: string;
  user: { username: string };
  objectRef?: { subresource?: string };
  responseStatus?: { code?: number };
}

/**
 * One user's requests to the API server, from lines of its audit log. A watch counts when it begins, everything else
 * when it is answered.
 */
export function requestsIn(log: string, username: string): Requests {
  const requests: Record<string, number> = {};
  for (const line of log.split("\n")) {
    if (line === "") continue;
    const event = JSON.parse(line) as AuditEvent;
    const counts = event.stage === (event.verb === "watch" ? "ResponseStarted" : "ResponseComplete");
    if (!counts || event.user.username !== username) continue;
    const verb = event.objectRef?.subresource ? `${event.verb} ${event.objectRef.subresource}` : event.verb;
    requests[verb] = (requests[verb] ?? 0) + 1;
  }
  return requests;
}

export function totalOf(requests: Requests): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0);
}
