import { withoutQuery } from "../http/http.ts";
import { RegistryDenied } from "./errors.ts";

/** A Location as the answer of `url` means it. Never from TLS to plain text: addresses of uploads and stores are credentials themselves. */
export function resolved(url: string, location: string): string {
  const target = new URL(location, url);
  if (new URL(url).protocol === "https:" && target.protocol !== "https:")
    throw new RegistryDenied(
      `the registry is asked by https and leads to ${withoutQuery(target.href)}; nothing was sent there: a proxy before it must pass X-Forwarded-Proto`,
    );
  return target.href;
}

/** Scheme, host and port: what a credential belongs to. */
export const isSameOrigin = (one: string, other: string) => new URL(one).origin === new URL(other).origin;
