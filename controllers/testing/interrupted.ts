import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { conditionsOf, type DynamicObject, isTerminal, jobs, type KubeObject, Manager, pods, type Resource, silentLogger } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";

/** A controller's work on an object from beginning to end, with the parts of all other programs. */
export interface Story {
  readonly register: (manager: Manager) => void;
  /** Creates what exists before the operator starts. */
  readonly begin: (api: FakeApiServer) => void;
  /** Plays kubelets, programs and other controllers; called every second. */
  readonly proceed: (story: Interrupted) => void;
  /** The object under test. */
  readonly subject: (api: FakeApiServer) => KubeObject;
  /** What else must hold once that has ended. */
  readonly isTidy?: (api: FakeApiServer) => boolean;
  /** Kinds of created objects, which are counted. */
  readonly made: readonly Resource[];
}

/** A write at which the operator dies: before it is applied, or before its response arrives. */
export interface Strike {
  readonly write: number;
  readonly before: boolean;
}

const isWrite = (method: string, path: string) => method !== "GET" && !path.includes("/events");

/** Every write of a story with this number of writes, before and after it. */
export const strikes = (writes: number, when: ("before" | "after")[] = ["before", "after"]): ["before" | "after", number, Strike][] =>
  Array.from({ length: writes }, (_, index) => index + 1).flatMap((write) =>
    when.map((each): ["before" | "after", number, Strike] => [each, write, { write, before: each === "before" }]),
  );

/** A story whose operator is killed at one of its writes and restarted. */
export class Interrupted {
  readonly clock = new VirtualClock("2026-11-23T12:00:00Z");
  readonly api: FakeApiServer;
  readonly #story: Story;
  /** UIDs of every object that ever existed, by kind. */
  readonly #seen = new Map<string, Set<string>>();
  #manager: Manager | undefined;

  private constructor(api: FakeApiServer, story: Story) {
    this.api = api;
    this.#story = story;
  }

  /** Resolves at the story's end; the caller must stop the result. */
  static async run(story: Story, strike?: Strike): Promise<Interrupted> {
    const told = new Interrupted(await FakeApiServer.start({ resources: kinds.map(resourceOf) }), story);
    let writes = 0;
    if (strike)
      told.api.inject({
        match: ({ method, path }) => isWrite(method, path) && ++writes === strike.write,
        action: { do: strike.before ? "reset" : "reset after" },
      });
    try {
      story.begin(told.api);
      await told.#start();
      await told.#untilOver(strike !== undefined);
    } catch (error) {
      await told.stop();
      throw error;
    }
    return told;
  }

  /** The number of objects of each kind that ever existed. */
  get made(): Record<string, number> {
    return Object.fromEntries([...this.#seen].map(([kind, uids]) => [kind, uids.size]));
  }

  /** Writes of the operator so far, without events. */
  get writes(): number {
    return this.api.requests.filter(({ method, path }) => isWrite(method, path)).length;
  }

  /** Ends a Job with success; `words` is one container's termination message, none where it is lost. */
  complete(job: DynamicObject, words: unknown): void {
    const { metadata, spec } = job.spec.template;
    const message = words === undefined ? {} : { message: JSON.stringify(words) };
    this.api.put(pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...metadata,
        name: `${job.metadata.name}-0`,
        namespace: job.metadata.namespace,
        ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: job.metadata.name, uid: job.metadata.uid ?? "" }],
      },
      status: {
        phase: "Succeeded",
        containerStatuses: [{ name: spec.containers[0].name, state: { terminated: { exitCode: 0, ...message } } }],
      },
    });
    const condition = { type: "Complete", status: "True", lastTransitionTime: this.clock.now().toISOString() };
    this.api.put(jobs, { ...job, status: { conditions: [condition] } });
  }

  async stop(): Promise<void> {
    await this.#manager?.stop();
    await this.api.stop();
  }

  async #start(): Promise<void> {
    await this.#manager?.stop();
    this.#manager = new Manager({ client: this.api.client(), clock: this.clock, logger: silentLogger, freeze: "deep" });
    this.#story.register(this.#manager);
    await this.#manager.start();
  }

  async #untilOver(dies: boolean): Promise<void> {
    const { subject, isTidy = () => true } = this.#story;
    let restarts = dies;
    for (let seconds = 0; seconds < 400; seconds++) {
      this.#count();
      this.#story.proceed(this);
      if (isTerminal(subject(this.api)) && isTidy(this.api)) return;
      await this.clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 3));
      if (!restarts || this.api.faultsLeft > 0) continue;
      restarts = false;
      await this.#start();
    }
    throw new Error(`the story didn't end: ${JSON.stringify(conditionsOf(subject(this.api)))}`);
  }

  #count(): void {
    for (const { kind, metadata } of this.#story.made.flatMap((resource) => this.api.all(resource))) {
      const uids = this.#seen.get(kind) ?? new Set();
      this.#seen.set(kind, uids.add(metadata.uid ?? ""));
    }
  }
}
