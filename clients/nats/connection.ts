import { connect, credsAuthenticator, type NatsConnection } from "nats";

export type NatsEndpoint = { url: string; credentials: string };

/** NATS is unreachable. A later retry may succeed. */
export class NatsUnavailable extends Error {
  override readonly name = "NatsUnavailable";
}

/** A connection that reconnects forever, even before the first success and after refused credentials. */
export async function connectForever(endpoint: NatsEndpoint, options: { inboxPrefix?: string; name: string }): Promise<NatsConnection> {
  return await connect({
    servers: endpoint.url,
    authenticator: credsAuthenticator(new TextEncoder().encode(endpoint.credentials)),
    ...options,
    timeout: 5_000,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 1_000,
    reconnectJitter: 500,
    waitOnFirstConnect: true,
    ignoreAuthErrorAbort: true,
    pingInterval: 20_000,
    maxPingOut: 2,
  });
}
