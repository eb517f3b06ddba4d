import type { Headers } from "../http/http.ts";

/** The authentication that a registry requests (RFC 9110, 11.6.1; Distribution's "Token Authentication Specification"). */
export type Challenge =
  | { readonly scheme: "Basic" }
  | { readonly scheme: "Bearer"; readonly realm: string; readonly service?: string; readonly scope?: string };

const schemes = /(?:^|[\s,])(Basic|Bearer)((?:\s*,?\s*[a-z_]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",]+))*)/gi;
const parameters = /([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/gi;

/** What an answer's `WWW-Authenticate` asks for; tokens rather than passwords, where both will do. */
export function challengeOf(headers: Headers): Challenge | undefined {
  const text = [headers["www-authenticate"] ?? []].flat().join(", ");
  const found = [...text.matchAll(schemes)].map(([, scheme = "", list = ""]) => challenge(scheme.toLowerCase(), list));
  return found.find((each) => each?.scheme === "Bearer") ?? found.find((each) => each !== undefined);
}

function challenge(scheme: string, list: string): Challenge | undefined {
  if (scheme === "basic") return { scheme: "Basic" };
  const values = new Map(
    [...list.matchAll(parameters)].map(([, name = "", quoted, plain]) => [name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, "$1") ?? plain]),
  );
  const [realm, service, scope] = ["realm", "service", "scope"].map((name) => values.get(name));
  return realm ? { scheme: "Bearer", realm, ...(service && { service }), ...(scope && { scope }) } : undefined;
}
