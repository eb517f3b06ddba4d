import type { LoaderClient } from "@rune/clients/loader/loader";
import type { Mlflow } from "@rune/clients/mlflow/mlflow";
import type { OperatorNats } from "@rune/clients/nats/nats";
import type { Registry } from "@rune/clients/registry/registry";
import type { LoaderConfig } from "@rune/crds/contracts/loader";
import type { TaskSet } from "@rune/crds/contracts/task-set";
import type { Progress } from "@rune/crds/contracts/trainer";
import type { BundledTaskSet } from "@rune/crds/fields/task-set";
import type { Announcer } from "./announce.ts";
import type { OperatorConfig } from "./config.ts";

export type RegistryAction = "pull" | "push";

/** What one registry token may do. */
export interface RegistryGrant {
  /** Of the object that it is for: another namespace's repositories are refused. */
  readonly namespace: string;
  /** Who it is for, such as `TrainingRun default/tessera`; told in the registry's log. */
  readonly subject: string;
  readonly access: readonly { readonly repository: string; readonly actions: readonly RegistryAction[] }[];
  readonly seconds: number;
}

/** What one NATS user may do: use the log of one object, or only say how far a job is, until its time is over. */
export interface NatsGrant {
  readonly kind: "session" | "evaluation" | "progress";
  readonly uid: string;
  readonly seconds: number;
}

/** How the admin port of one vLLM pod's loader is reached. */
export interface LoaderAddress {
  readonly ip: string;
  /** Audience of the admin token, so that a token for one pod is worth nothing at another. */
  readonly podUID: string;
}

/** What a controller can be woken by from outside the Kubernetes API. */
export interface Notice {
  readonly kind: "session" | "evaluation" | "progress";
  /** UID of the object that it is about. */
  readonly uid: string;
}

/** What the operator itself tells the experiment tracker by. */
export type Tracker = Pick<Mlflow, "findRun" | "startRun" | "logParams" | "logMetrics" | "note" | "tag" | "endRun">;

/** Everything outside the Kubernetes API that controllers use; each kind's `register(manager, services)` is given it. */
export interface Services {
  readonly config: OperatorConfig;
  /**
   * A client whose requests carry a fresh token for this one repository, on behalf of an object of `namespace`. Its
   * errors are those of `@rune/clients/registry`; throws `TerminalError` for a repository of another namespace.
   */
  registry(namespace: string, repository: string, actions: readonly RegistryAction[]): Registry;
  /** A task set that comes with the operator's image; undefined where this build has none. */
  bundledTaskSet(name: BundledTaskSet): Promise<TaskSet | undefined>;
  /**
   * A credential to hand to a pod: a token for what is granted, or the login for a registry that signs its own; `@rune/clients/registry`
   * reads both. Throws `TerminalError` where it would open a repository of another namespace, `RegistryUnavailable` without a login.
   */
  registryToken(grant: RegistryGrant): Promise<string>;
  /** The text of a `nats.creds` to hand to a pod. */
  natsCredentials(grant: NatsGrant): Promise<string>;
  /** The live logs. Throws `NatsUnavailable` while NATS is away. */
  readonly logs: Pick<OperatorNats, "readLog" | "purge">;
  /** The experiment tracker; undefined where the installation has none. Throws `MlflowUnavailable`. */
  readonly mlflow: Tracker | undefined;
  /** Where what was decided is told; undefined where the installation tells nothing. */
  readonly events: Announcer | undefined;
  /** What a job said last of how far it is; forgotten when the operator restarts. */
  progress(uid: string): Progress | undefined;
  /** Hears of every append to a log and every word of progress. A hint: nothing is told of what was missed. */
  onNotice(listener: (notice: Notice) => void): void;
  /** A word that nobody can guess and no model has read: random, another one at every call. */
  nonce(): string;
  /** The bearer token of one sandbox's runner: derived from the installation's key, so that it is the same at every call. */
  runnerToken(uid: string, epoch: number): string;
  loader(address: LoaderAddress): Pick<LoaderClient, "state" | "load" | "unload" | "answer">;
  /** Calls back whenever somebody asks this loader for an adapter that it doesn't hold. Forgotten after a minute unless asked for again. */
  followDemand(address: LoaderAddress, wake: () => void): void;
  /** Public keys that loaders check admin tokens with. */
  readonly adminKeys: LoaderConfig["adminKeys"];
  /** Address of the cluster's DNS service. */
  readonly clusterDNS: string;
}
