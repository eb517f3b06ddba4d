/** What a client asks the token endpoint: for which service, which scopes, and as whom. */
export interface TokenRequest {
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  /** A Kubernetes token; undefined where the client showed nothing. */
  readonly token: string | undefined;
}

/** A request that no client of a registry makes. */
export class NotATokenRequest extends Error {}

/** `GET /token?service=…&scope=…` with Basic authentication (Distribution, "Token Authentication Specification"). */
export function fromQuery(query: URLSearchParams, authorization: string | undefined): TokenRequest {
  return { service: query.get("service") ?? undefined, scopes: query.getAll("scope"), token: passwordOf(authorization) };
}

/** `POST /token` with a form (Distribution, "Token Authentication using OAuth2"): a password, or what clients call an identity token. */
export function fromForm(form: URLSearchParams): TokenRequest {
  const asked = { service: form.get("service") ?? undefined, scopes: form.getAll("scope") };
  switch (form.get("grant_type")) {
    case "password":
      return { ...asked, token: form.get("password") || undefined };
    case "refresh_token":
      return { ...asked, token: form.get("refresh_token") || undefined };
    default:
      throw new NotATokenRequest("grant_type must be password or refresh_token");
  }
}

/** The password of `Basic <base64 of user:password>`; the user's name is the client's to choose. */
function passwordOf(authorization: string | undefined): string | undefined {
  const [, encoded = ""] = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(authorization ?? "") ?? [];
  const text = Buffer.from(encoded, "base64").toString("utf8");
  return text.slice(text.indexOf(":") + 1 || text.length) || undefined;
}
