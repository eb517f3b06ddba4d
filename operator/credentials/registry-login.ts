import type { Clock } from "@rune/clients/clock";
import { credentialFrom, credentialText, RegistryUnavailable } from "@rune/clients/registry/registry";
import type { OperatorConfig } from "@rune/controllers/shared/config";
import { type Client, configMaps, secrets } from "kopf-ts";

/** Secret that a namespace keeps a login of its own in. It has a name and no label: the operator may get Secrets and not list them. */
const loginOfNamespace = "rune-registry";
/** Entry of a Secret of the type kubernetes.io/dockerconfigjson. */
const configEntry = ".dockerconfigjson";
const certificateEntry = "ca.crt";

/** A changed Secret counts after this long. */
const rememberedMilliseconds = 60_000;

interface Options {
  readonly client: Client;
  readonly config: Pick<OperatorConfig, "operatorNamespace" | "registry" | "watchNamespaces">;
  readonly clock: Pick<Clock, "now">;
}

/**
 * What is shown to a registry of one's own: a namespace's login where it has one, else the installation's; and the certificates that
 * the registry is trusted by. Secret and ConfigMap are read again every minute.
 */
export class RegistryLogins {
  readonly #options: Options;
  readonly #known = new Map<string, { until: number; text: Promise<string | undefined> }>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** The `config.json` for this registry alone, on behalf of a namespace; the operator may not read Secrets of one that isn't watched. Throws RegistryUnavailable where no Secret has one. */
  async loginFor(namespace: string): Promise<string> {
    const { operatorNamespace, registry, watchNamespaces } = this.#options.config;
    const { credentialsSecret: name = "" } = registry;
    const isWatched = watchNamespaces.length === 0 || watchNamespaces.includes(namespace);
    const own = isWatched ? await this.#entry(namespace, loginOfNamespace) : undefined;
    const found = own ?? (await this.#entry(operatorNamespace, name));
    if (found === undefined)
      throw new RegistryUnavailable(
        `waits for the registry's credentials: neither ${namespace} has a Secret ${loginOfNamespace} nor ${operatorNamespace} one called ${name} with the entry ${configEntry}; create it`,
      );
    return await this.#withCertificates(found);
  }

  /** A token that the operator signed, with the certificates where the registry needs some. */
  async withToken(token: string): Promise<string> {
    const { url, caConfigMap } = this.#options.config.registry;
    return caConfigMap ? await this.#withCertificates(credentialText({ login: { kind: "Token", token } }, url)) : token;
  }

  async #withCertificates(text: string): Promise<string> {
    const { url, caConfigMap } = this.#options.config.registry;
    const ca = caConfigMap && (await this.#certificates(caConfigMap));
    // Whom the registry is trusted by is the installation's to say, not a namespace's Secret's.
    return credentialText({ login: credentialFrom(text, url).login, ...(ca && { ca }) }, url);
  }

  async #certificates(name: string): Promise<string> {
    const { client, config } = this.#options;
    const key = { namespace: config.operatorNamespace, name };
    const found = await this.#remembered(
      `certificates ${name}`,
      async () => (await client.find(configMaps, key))?.data?.[certificateEntry],
    );
    if (found) return found;
    throw new RegistryUnavailable(`waits for the ConfigMap ${name} in ${key.namespace} with the entry ${certificateEntry}; create it`);
  }

  async #entry(namespace: string, name: string): Promise<string | undefined> {
    return await this.#remembered(`${namespace}/${name}`, async () => {
      const encoded = (await this.#options.client.find(secrets, { namespace, name }))?.data?.[configEntry];
      return encoded && Buffer.from(encoded, "base64").toString("utf8");
    });
  }

  async #remembered(key: string, read: () => Promise<string | undefined>): Promise<string | undefined> {
    const now = this.#options.clock.now();
    const known = this.#known.get(key);
    if (known && known.until > now) return await known.text;
    // The oldest entries are first, because all are kept for the same time.
    for (const [old, { until }] of this.#known) {
      if (until > now) break;
      this.#known.delete(old);
    }
    const text = read();
    this.#known.set(key, { until: now + rememberedMilliseconds, text });
    text.catch(() => this.#known.delete(key));
    return await text;
  }
}
