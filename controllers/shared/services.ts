import type { LoaderClient } from "@rune/clients/loader/loader";
import type { Mlflow } from "@rune/clients/mlflow/mlflow";
import type { OperatorNats } from "@rune/clients/nats/nats";
import type { Registry } from "@rune/clients/registry/registry";
import type { LoaderConfig } from "@rune/crds/contracts/loader";
import type { TaskSet } from "@rune/crds/contracts/task-set";
import type { Progress } from "@rune/crds/contracts/trainer";
import type { BundledTaskSet } from "@rune/crds/fields/task-set";
import type { EventPublisher } from "./cloudevents.ts";
import type { OperatorConfig } from "./config.ts";

export type RegistryAction = "pull" | "push";

/** Permissions of one registry token. */
export interface RegistryGrant {
  /** Namespace of the object that it is for: repositories of other namespaces are refused. */
  readonly namespace: string;
  /** Its holder, such as `TrainingRun default/tessera`, which the registry logs. */
  readonly subject: string;
  readonly access: readonly { readonly repository: string; readonly actions: readonly RegistryAction[] }[];
  readonly seconds: number;
}

/** Permissions of one NATS user: use the log of one object, or only publish a job's progress, until it expires. */
export interface NatsGrant {
  readonly kind: "session" | "evaluation" | "progress";
  readonly uid: string;
  readonly seconds: number;
}

/** Address of the admin port of one vLLM pod's loader. */
export interface LoaderAddress {
  readonly ip: string;
  /** Audience of the admin token, so that a token for one pod is useless for another. */
  readonly podUID: string;
}

/** A signal from outside the Kubernetes API that triggers a reconcile. */
export interface Notice {
  readonly kind: "session" | "evaluation" | "progress";
  /** UID of the object to reconcile. */
  readonly uid: string;
}

/** The part of the MLflow client that the operator itself uses. */
export type Tracker = Pick<Mlflow, "findRun" | "startRun" | "logParams" | "logMetrics" | "note" | "tag" | "endRun">;

/** Everything outside the Kubernetes API that controllers use; passed to each kind's `register(manager, services)`. */
export interface Services {
  readonly config: OperatorConfig;
  /**
   * A client that authenticates with a new token for this one repository, on behalf of an object of `namespace`. Its
   * errors are those of `@rune/clients/registry`; throws `TerminalError` for a repository of another namespace.
   */
  registry(namespace: string, repository: string, actions: readonly RegistryAction[]): Registry;
  /** A bundled task set of the operator's image; undefined if this build has none. */
  bundledTaskSet(name: BundledTaskSet): Promise<TaskSet | undefined>;
  /**
   * A credential to hand to a pod: a token for what is granted, or the login for a registry that signs its own; `@rune/clients/registry`
   * reads both. Throws `TerminalError` where it would open a repository of another namespace, `RegistryUnavailable` without a login.
   */
  registryToken(grant: RegistryGrant): Promise<string>;
  /** The text of a pod's `nats.creds`. */
  natsCredentials(grant: NatsGrant): Promise<string>;
  /** The live logs. Throws `NatsUnavailable` while NATS is unavailable. */
  readonly logs: Pick<OperatorNats, "readLog" | "foldLog">;
  /** The experiment tracker; undefined if the installation has none. Throws `MlflowUnavailable`. */
  readonly mlflow: Tracker | undefined;
  /** Publishes CloudEvents of what was decided; undefined where the installation publishes none. */
  readonly events: EventPublisher | undefined;
  /** What a job said last of how far it is; forgotten when the operator restarts. */
  progress(uid: string): Progress | undefined;
  /** Calls the listener on every append to a log and every progress report. A hint: missed ones aren't repeated. */
  onNotice(listener: (notice: Notice) => void): void;
  /** An unguessable word that no model has read: random, and new at every call. */
  nonce(): string;
  /**
   * The bearer token of one sandbox's runner; the same at every call, because it is derived from the installation's
   * key.
   */
  runnerToken(uid: string, epoch: number): string;
  loader(address: LoaderAddress): Pick<LoaderClient, "state" | "load" | "unload" | "answer">;
  /**
   * Calls back when a client requests an adapter that this loader doesn't hold. Expires a minute after the last call.
   */
  followDemand(address: LoaderAddress, wake: () => void): void;
  /** Public keys with which loaders verify admin tokens. */
  readonly adminKeys: LoaderConfig["adminKeys"];
  /** Address of the cluster's DNS service. */
  readonly clusterDNS: string;
}
