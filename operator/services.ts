import { LoaderClient } from "@rune/clients/loader/loader";
import { Mlflow } from "@rune/clients/mlflow/mlflow";
import type { OperatorNats } from "@rune/clients/nats/nats";
import { Registry } from "@rune/clients/registry/registry";
import { hostAndPort } from "@rune/controllers/shared/address";
import type { EventPublisher } from "@rune/controllers/shared/cloudevents";
import type { OperatorConfig } from "@rune/controllers/shared/config";
import type { LoaderAddress, NatsGrant, Notice, RegistryAction, Services } from "@rune/controllers/shared/services";
import { refuseForeign } from "@rune/controllers/shared/tenancy";
import type { Progress } from "@rune/crds/contracts/trainer";
import { port } from "@rune/crds/words/ports";
import type { JWK } from "jose";
import { type Client, services as kubernetesServices } from "kopf-ts";
import { loaderToken } from "./credentials/loader-token.ts";
import { evaluationUser, progressUser, sessionUser } from "./credentials/nats-users.ts";
import type { RegistryLogins } from "./credentials/registry-login.ts";
import { registryToken, type RegistryGrant as TokenGrant } from "./credentials/registry-token.ts";
import { runnerToken } from "./credentials/runner-token.ts";
import type { Keys } from "./credentials/secret.ts";
import { DemandWatch } from "./demand-watch.ts";
import { keepNewest } from "./keep-newest.ts";
import { nonce } from "./nonce.ts";
import { bundledTaskSets } from "./task-sets.ts";

/** Lifetime of tokens for the operator's own requests to the registry. */
const ownTokenSeconds = 300;
/** Objects whose progress is kept; the oldest are dropped. */
const mostProgress = 10_000;
/** Clients of the registry that are kept; those that were not used for longest are dropped. */
const mostRegistries = 1_000;

/** Everything outside the Kubernetes API. Tokens expire at whole seconds, because Go's verifiers refuse fractions. */
export function createServices({
  config,
  keys,
  nats,
  clusterDNS,
  events,
  logins,
}: {
  config: OperatorConfig;
  keys: Keys;
  nats: OperatorNats;
  clusterDNS: string;
  /** Publishes CloudEvents; undefined where the installation publishes none. */
  events: EventPublisher | undefined;
  logins: Pick<RegistryLogins, "loginFor" | "withToken">;
}): Services {
  const registryKey = keyOf(keys, "registry.jwk");
  const adminKey = keyOf(keys, "admin.jwk");
  const accountSeed = required(keys, "nats-account.seed");
  const progress = remember(nats);
  const credential = async (namespace: string, grant: TokenGrant) =>
    config.registry.credentialsSecret ? await logins.loginFor(namespace) : await logins.withToken(await registryToken(registryKey, grant));
  const registryOf = memoized((namespace, repository, actions) => {
    const grant = { subject: "rune-operator", access: [{ repository, actions }], seconds: ownTokenSeconds };
    return new Registry({ url: config.local.registryURL ?? config.registry.url, token: () => credential(namespace, grant) });
  });
  const loader = ({ ip, podUID }: LoaderAddress) =>
    new LoaderClient({
      address: `http://${hostAndPort(ip, port.admin)}`,
      token: () => loaderToken(adminKey, podUID, Date.now()),
    });
  const demand = new DemandWatch(loader);
  return {
    config,
    clusterDNS,
    adminKeys: JSON.parse(required(keys, "admin.jwks")),
    registry: (namespace, repository, actions) => {
      refuseForeign(repository, namespace);
      return registryOf(config.registry.credentialsSecret ? namespace : "", repository, actions);
    },
    bundledTaskSet: bundledTaskSets(),
    registryToken: async ({ namespace, subject, access, seconds }) => {
      for (const { repository } of access) refuseForeign(repository, namespace);
      return await credential(namespace, { subject, access, seconds: Math.ceil(seconds) });
    },
    natsCredentials: ({ kind, uid, seconds }) => userOf[kind]({ accountSeed, uid, seconds: Math.ceil(seconds) }),
    logs: nats,
    mlflow: config.mlflow && new Mlflow({ url: config.mlflow.url }),
    events,
    progress: (uid) => progress.get(uid),
    nonce,
    runnerToken: (uid, epoch) => runnerToken(adminKey, uid, epoch),
    onNotice: (listener) => listen(nats, listener),
    loader,
    followDemand: (address, wake) => demand.follow(address, wake),
  };
}

const userOf: Record<NatsGrant["kind"], typeof sessionUser> = { session: sessionUser, evaluation: evaluationUser, progress: progressUser };

/** A private key of the installation. */
export function keyOf(keys: Keys, name: "registry.jwk" | "admin.jwk"): JWK {
  return JSON.parse(required(keys, name));
}

function required(keys: Keys, name: string): string {
  const value = keys[name];
  if (!value) throw new Error(`the Secret with the operator's keys has no ${name}`);
  return value;
}

/** One client for each repository and login, because each keeps its own connections and tokens. */
function memoized(make: (namespace: string, repository: string, actions: readonly RegistryAction[]) => Registry): typeof make {
  const made = new Map<string, Registry>();
  return (namespace, repository, actions) => {
    const key = `${namespace} ${repository} ${actions.toSorted().join()}`;
    const registry = made.get(key) ?? make(namespace, repository, actions);
    keepNewest(made, key, registry, mostRegistries);
    return registry;
  };
}

function remember(nats: OperatorNats): ReadonlyMap<string, Progress> {
  const known = new Map<string, Progress>();
  nats.onProgress((uid, progress) => {
    keepNewest(known, uid, progress, mostProgress);
  });
  return known;
}

function listen(nats: OperatorNats, listener: (notice: Notice) => void): void {
  nats.onActivity((kind, uid) => listener({ kind, uid }));
  nats.onProgress((uid) => listener({ kind: "progress", uid }));
}

/** The address of the cluster's DNS service: as configured, else as nearly every cluster labels it, else as OpenShift names it. */
export async function findClusterDNS(config: OperatorConfig, client: Client): Promise<string> {
  if (config.clusterDNS) return config.clusterDNS;
  const labelled = await client.list(kubernetesServices, { namespace: "kube-system", labelSelector: { "k8s-app": "kube-dns" } });
  const found = labelled.items[0] ?? (await client.find(kubernetesServices, { namespace: "openshift-dns", name: "dns-default" }));
  const address = found?.spec?.clusterIP;
  if (address) return address;
  throw new Error(
    "no Service in kube-system has the label k8s-app=kube-dns, and there is no Service dns-default in openshift-dns; set clusterDNS in the operator's configuration to the address of the cluster's DNS",
  );
}
