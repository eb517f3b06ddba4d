import type { Registry } from "@rune/clients/registry";
import type { LogRecord, Progress } from "@rune/crds/artifact";
import type { LoaderState, LoadRequest } from "@rune/crds/loader-api";
import type { OperatorConfig } from "./config.ts";

export type RegistryAction = "pull" | "push";

/** What one token may do. */
export interface RegistryGrant {
  /** Who it is for, such as `TrainingRun default/tessera`; told in the registry's log. */
  readonly subject: string;
  /** Each repository with what may be done there. */
  readonly access: readonly { readonly repository: string; readonly actions: readonly RegistryAction[] }[];
  readonly seconds: number;
}

/** The part of a pod's identity that its loader's admin port is reached by. */
export interface LoaderAddress {
  readonly ip: string;
  /** Audience of the admin token, so that a token for one pod is worth nothing at another. */
  readonly podUID: string;
}

/** The admin port of one vLLM pod's loader. Every method throws when the loader can't be reached. */
export interface Loader {
  state(signal?: AbortSignal): Promise<LoaderState>;
  /** Answers the state that came of it, also when the adapter was refused. */
  load(name: string, request: LoadRequest, signal?: AbortSignal): Promise<LoaderState>;
  unload(name: string, signal?: AbortSignal): Promise<LoaderState>;
}

/** A record of a log with its place in the stream. */
export interface StoredRecord {
  readonly sequence: number;
  readonly record: LogRecord;
}

/** The live logs of sessions and evaluations. Every method throws when NATS is away. */
export interface Logs {
  /** All records on a subject, oldest first. */
  read(subject: string, signal?: AbortSignal): Promise<StoredRecord[]>;
}

/** What one NATS user may do: the log of one object, until its time is over. */
export interface LogUser {
  readonly kind: "session" | "evaluation";
  readonly uid: string;
  readonly seconds: number;
}

/** Everything outside the Kubernetes API that controllers use; each kind's `register` is given it. */
export interface Services {
  readonly config: OperatorConfig;
  /** A client whose requests carry a fresh token for this one repository. */
  registry(repository: string, actions: readonly RegistryAction[]): Registry;
  /** A token to hand to a pod. */
  registryToken(grant: RegistryGrant): Promise<string>;
  /** Credentials (`nats.creds`) of a user that may only use its own object's log. */
  logCredentials(user: LogUser): Promise<string>;
  /** Credentials of a user that may only publish `rune.progress.<uid>`. */
  progressCredentials(uid: string, seconds: number): Promise<string>;
  readonly logs: Logs;
  /** The newest progress that a job of this object has published; undefined before the first. */
  progress(uid: string): Progress | undefined;
  /** The bearer token of one sandbox's runner: derived from the installation's key, so that it is the same at every call. */
  runnerToken(uid: string, epoch: number): string;
  loader(address: LoaderAddress): Loader;
  /** Public keys that loaders check admin tokens with. */
  readonly adminKeys: { keys: Record<string, unknown>[] };
  /** Address of the cluster's DNS service. */
  readonly clusterDNS: string;
  /** Hears the UID of an object on whose log or progress subject something was published. */
  onNotice(listener: (uid: string) => void): void;
}
