import { z } from "zod";
import { parseJSON } from "../http/json.ts";
import { RegistryDenied } from "./errors.ts";

/** How a client authenticates at a registry. */
export type Login =
  | { readonly kind: "Nobody" }
  /** a bearer token for the registry itself */
  | { readonly kind: "Token"; readonly token: string }
  | { readonly kind: "Password"; readonly username: string; readonly password: string }
  /** what `docker login` keeps of registries that give refresh tokens */
  | { readonly kind: "IdentityToken"; readonly identityToken: string };

/** A login, and the PEM certificates that the registry's own must be signed by where no public authority signed it. */
export type Credential = { readonly login: Login; readonly ca?: string };

const entry = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
const dockerConfig = z.object({ auths: z.record(z.string(), entry).default({}), ca: z.string().optional() });

/**
 * What a credential's text says for the registry at `url`: a bearer token, or a `config.json` as of Docker with this registry in its
 * `auths`, the entry with the nearest path, and with our own field `ca`. Empty text is nobody's. Throws RegistryDenied where it names other registries alone.
 */
export function credentialFrom(text: string, url: string): Credential {
  if (!text.startsWith("{")) return { login: text ? { kind: "Token", token: text } : { kind: "Nobody" } };
  const parsed = dockerConfig.safeParse(parseJSON(Buffer.from(text)));
  if (!parsed.success) throw new RegistryDenied("the registry's credentials are no config.json with `auths`; make the Secret again");
  const { auths, ca } = parsed.data;
  const { host, pathname, protocol } = new URL(url);
  const [found] = Object.entries(auths)
    .filter(([name]) => hostOf(name, protocol) === host)
    .sort(([a], [b]) => nearness(b, pathname) - nearness(a, pathname));
  if (!found && Object.keys(auths).length > 0)
    throw new RegistryDenied(
      `the credentials are for ${Object.keys(auths)
        .map((name) => hostOf(name, protocol))
        .join(", ")}, not for the registry ${host}; add it to their Secret`,
    );
  return { login: loginOf(found?.[1]), ...(ca && { ca }) };
}

/** Keys are hosts, or addresses such as `https://registry.example.org/v2/`. The protocol's own port may be there or not. */
function hostOf(name: string, protocol: string): string {
  const host = name.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return URL.parse(`${protocol}//${host}`)?.host ?? host.toLowerCase();
}

/** As the kubelet chooses: the longest path that the registry is under, then the host alone, then any. */
function nearness(name: string, pathname: string): number {
  const [, path = ""] = /^(?:https?:\/\/)?[^/]*(.*)$/.exec(name) ?? [];
  const within = path.replace(/^\/v[12](?=\/|$)/, "").replace(/\/*$/, "/");
  return pathname.replace(/\/*$/, "/").startsWith(within) ? within.length : 0;
}

function loginOf(found: z.infer<typeof entry> | undefined): Login {
  if (!found) return { kind: "Nobody" };
  if (found.registrytoken) return { kind: "Token", token: found.registrytoken };
  if (found.identitytoken) return { kind: "IdentityToken", identityToken: found.identitytoken };
  const joined = found.auth ? Buffer.from(found.auth, "base64").toString("utf8") : `${found.username ?? ""}:${found.password ?? ""}`;
  const colon = joined.indexOf(":");
  if (colon < 0) throw new RegistryDenied("the credentials' `auth` is not the base64 of `user:password`; make the Secret again");
  const [username, password] = [joined.slice(0, colon), joined.slice(colon + 1)];
  return username || password ? { kind: "Password", username, password } : { kind: "Nobody" };
}

/** The `config.json` of one registry alone, for a pod that needs no other. */
export function credentialText({ login, ca }: Credential, url: string): string {
  const auths = login.kind === "Nobody" ? {} : { [new URL(url).host]: entryOf(login) };
  return JSON.stringify({ auths, ...(ca && { ca }) });
}

function entryOf(login: Exclude<Login, { kind: "Nobody" }>): z.infer<typeof entry> {
  switch (login.kind) {
    case "Token":
      return { registrytoken: login.token };
    case "IdentityToken":
      return { identitytoken: login.identityToken };
    case "Password":
      return { auth: Buffer.from(`${login.username}:${login.password}`).toString("base64") };
    default:
      return login satisfies never;
  }
}
