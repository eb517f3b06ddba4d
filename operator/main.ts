import { systemClock } from "@rune/clients/clock";
import { connectNats } from "@rune/clients/nats/nats";
import { Client, jsonLogger, type Logger, Manager } from "kopf-ts";
import { readStartup, type Startup } from "./config.ts";
import { controllers } from "./controllers.ts";
import { RegistryLogins } from "./credentials/registry-login.ts";
import { ensureKeys, type Keys } from "./credentials/secret.ts";
import { ensureSubscribers } from "./credentials/subscribers.ts";
import { checkDeletion } from "./deletion-check.ts";
import { EventOutbox } from "./event-outbox.ts";
import { startCanary } from "./isolation-canary.ts";
import { stopListening } from "./listening.ts";
import { keepEventStream, keepLogStream } from "./nats-streams.ts";
import { createServices, findClusterDNS, keyOf } from "./services.ts";
import { Reviews } from "./token-server/reviews.ts";
import { startTokenServer, type TokenServerOptions } from "./token-server/server.ts";

/** Tolerates an API server or node that is busy for half a minute; an orderly stop releases the Lease at once. */
const lease = { name: "rune-operator", leaseDurationSeconds: 40, renewDeadlineSeconds: 30, retryPeriodSeconds: 4 };
const stopping = new AbortController();
for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stopping.abort());

const startup = await readStartup(process.env).catch((error: Error) => {
  console.error(error.message);
  return process.exit(78);
});
const logger = jsonLogger({ level: startup.logLevel, write: (line) => process.stdout.write(line) });
try {
  await operate(startup, logger, stopping.signal);
  logger.info("the operator has stopped");
} catch (error) {
  logger.error("the operator ends; what it was doing goes on when it starts again", { error });
  process.exitCode = 1;
}
// A connection attempt to a NATS server that was never reachable would keep the process alive.
process.exit();

/** Runs until the signal aborts, or rejects when leadership is lost or the API server can't be used. */
async function operate(startup: Startup, logger: Logger, signal: AbortSignal): Promise<void> {
  const { config, healthPort, canaryPort } = startup;
  const client = await Client.fromEnvironment(process.env);
  // Registry and NATS need this Secret to start, so it is created first.
  const keys = await ensureKeys(client, { namespace: config.operatorNamespace, name: config.keysSecret });
  const clusterDNS = await findClusterDNS(config, client);
  const canary = await startCanary(canaryPort);
  // A registry that signs its own tokens gives people theirs as well.
  const tokenServer = config.registry.credentialsSecret
    ? undefined
    : await startTokenServer(tokenServerOptions(startup, { client, keys, logger }));
  const nats = connectNats({ url: config.local.natsURL ?? config.nats.url, credentials: keys["operator.creds"] ?? "" });
  const outbox = config.events && new EventOutbox({ publish: nats.publishEvent, clock: systemClock, logger, signal });
  const logins = new RegistryLogins({ client, config, clock: systemClock });
  const services = createServices({ config, keys, nats, clusterDNS, logins, events: outbox });
  const manager = new Manager({
    client,
    logger,
    namespaces: config.watchNamespaces,
    ...(config.leaderElection && { leaderElection: { ...lease, namespace: config.operatorNamespace } }),
    health: { port: healthPort },
    eventPrefix: "rune.dev",
    // The Lease must be released before the kubelet sends SIGKILL.
    gracePeriodSeconds: 15,
  });
  for (const register of controllers) register(manager, services);
  keepLogStream(nats, logger, signal);
  const subscribers = () => ensureSubscribers(client, config, keys["nats-account.seed"] ?? "");
  if (config.events) keepEventStream(nats, config.events, subscribers, { logger, signal });
  void checkDeletion(services, logger);
  try {
    await manager.run(signal);
  } finally {
    await Promise.all([nats.close(), stopListening(canary), tokenServer && stopListening(tokenServer)]);
  }
}

function tokenServerOptions({ config, tokenPort }: Startup, made: { client: Client; keys: Keys; logger: Logger }): TokenServerOptions {
  return {
    port: tokenPort,
    key: keyOf(made.keys, "registry.jwk"),
    reviews: new Reviews(made.client, systemClock),
    watchNamespaces: config.watchNamespaces,
    logger: made.logger,
    clock: systemClock,
  };
}
