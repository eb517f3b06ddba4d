import { deliverySubject } from "@rune/crds/contracts/cloudevents";
import { evaluationSubject, inboxPrefix, logConsumer, logStream, sessionSubject } from "@rune/crds/contracts/session-log";
import { progressSubject } from "@rune/crds/contracts/trainer";
import { decode, encodeAccount, encodeOperator, encodeUser, fmtCreds } from "nats-jwt";
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from "nkeys.js";

/**
 * What the server trusts, and the seed that signs users. The operator's own seed is discarded: accounts never change.
 */
export type NatsAuthority = { operatorJWT: string; accountJWT: string; accountSeed: string; systemJWT: string };

export type NatsUser = {
  accountSeed: string;
  name: string;
  /** A new one where it isn't given. */
  key?: KeyPair;
  publish: string[];
  subscribe: string[];
  /** lifetime; the server closes the connection at its end */
  seconds?: number;
  /** milliseconds since the epoch */
  now?: number;
};

const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: 0, disallow_bearer: true };
const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

/** A NATS operator, the account of Rune with JetStream, and the system account. */
export async function generateNatsAuthority(): Promise<NatsAuthority> {
  const [operator, account, system] = [createOperator(), createAccount(), createAccount()];
  return {
    operatorJWT: await encodeOperator("rune", operator, { system_account: system.getPublicKey() }),
    accountJWT: await encodeAccount("rune", account, { limits: { ...unlimited, ...jetStream } }, { signer: operator }),
    accountSeed: new TextDecoder().decode(account.getSeed()),
    systemJWT: await encodeAccount("system", system, { limits: unlimited }, { signer: operator }),
  };
}

/** The part of the server's configuration that lists the trusted keys. */
export function natsAuthConfig(authority: Omit<NatsAuthority, "accountSeed">): string {
  const accounts = [authority.accountJWT, authority.systemJWT].map((jwt) => ({ id: decode(jwt).sub, jwt }));
  return [
    `operator: ${authority.operatorJWT}`,
    `system_account: ${accounts[1]?.id}`,
    "resolver: MEMORY",
    "resolver_preload: {",
    ...accounts.map(({ id, jwt }) => `  ${id}: ${jwt}`),
    "}",
    "",
  ].join("\n");
}

/** The text of a `.creds` file for a new user that may only publish and subscribe to these subjects. */
export async function natsUser(user: NatsUser): Promise<string> {
  const { key = createUser() } = user;
  const now = Math.floor((user.now ?? Date.now()) / 1000);
  const permissions = { pub: only(user.publish), sub: only(user.subscribe) };
  const limits = { subs: -1, data: -1, payload: -1 };
  const token = await encodeUser(
    user.name,
    key,
    fromSeed(new TextEncoder().encode(user.accountSeed)),
    { ...permissions, ...limits },
    user.seconds === undefined ? {} : { exp: now + Math.ceil(user.seconds) },
  );
  return new TextDecoder().decode(fmtCreds(token, key));
}

/** An empty list of what is allowed would allow everything. */
const only = (subjects: string[]) => (subjects.length > 0 ? { allow: subjects, deny: [] } : { allow: [], deny: [">"] });

/** The operator's own user: everything in the account, without an end. */
export async function operatorCredentials(accountSeed: string): Promise<string> {
  return await natsUser({ accountSeed, name: "operator", publish: [">"], subscribe: [">"] });
}

type Lifetime = { accountSeed: string; uid: string; seconds: number; now?: number };

/** Credentials of a session's agent: append to its log, read it, publish progress. */
export async function sessionUser(input: Lifetime): Promise<string> {
  return await logUser(sessionSubject(input.uid), input);
}

/** Credentials of an evaluation's evaluator: append to its log, read it, publish progress. */
export async function evaluationUser(input: Lifetime): Promise<string> {
  return await logUser(evaluationSubject(input.uid), input);
}

/** Credentials of a trainer: publish progress. */
export async function progressUser(input: Lifetime): Promise<string> {
  const { uid, ...rest } = input;
  return await natsUser({ ...rest, name: `progress-${uid}`, publish: [progressSubject(uid)], subscribe: [`${inboxPrefix(uid)}.>`] });
}

async function logUser(subject: string, input: Lifetime): Promise<string> {
  const { uid, ...rest } = input;
  const consumer = `${logStream}.${logConsumer(uid)}`;
  const publish = [
    subject,
    progressSubject(uid),
    `$JS.API.CONSUMER.CREATE.${consumer}.${subject}`,
    `$JS.API.CONSUMER.MSG.NEXT.${consumer}`,
    `$JS.API.CONSUMER.INFO.${consumer}`,
    `$JS.API.CONSUMER.DELETE.${consumer}`,
  ];
  return await natsUser({ ...rest, name: subject, publish, subscribe: [`${inboxPrefix(uid)}.>`] });
}

export type Subscriber = {
  /** text of a `.creds` file */
  credentials: string;
  /** where its events are delivered */
  subject: string;
};

/**
 * A subscriber to events. It may listen on a subject of its own, and publish nothing: not even a request, because the server sends an answer
 * wherever the asker says, be it into somebody's log.
 */
export async function subscriberUser({ accountSeed, name }: { accountSeed: string; name: string }): Promise<Subscriber> {
  const key = createUser();
  const subject = deliverySubject(key.getPublicKey());
  const credentials = await natsUser({ accountSeed, key, name: `subscriber-${name}`, publish: [], subscribe: [subject] });
  return { credentials, subject };
}

/** Whether this account signed the credentials, and for this subject. */
export function isSubscriberOf(accountSeed: string, { credentials, subject }: Subscriber): boolean {
  const jwt = /BEGIN NATS USER JWT-----\s+(\S+)/.exec(credentials)?.[1];
  if (!jwt) return false;
  const { iss, sub } = decode(jwt);
  return iss === fromSeed(new TextEncoder().encode(accountSeed)).getPublicKey() && subject === deliverySubject(sub ?? "");
}
