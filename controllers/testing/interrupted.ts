import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { conditionsOf, type DynamicObject, isTerminal, jobs, type KubeObject, Manager, pods, type Resource, silentLogger } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";

/** What a controller is to do with an object from its beginning to its end, with everybody else's part in it. */
export interface Story {
  readonly register: (manager: Manager) => void;
  /** What is there before the operator starts. */
  readonly begin: (api: FakeApiServer) => void;
  /** What kubelets, programs and other controllers do; called every second. */
  readonly proceed: (story: Interrupted) => void;
  /** The object that it is about. */
  readonly subject: (api: FakeApiServer) => KubeObject;
  /** What must hold besides once that has ended. */
  readonly isTidy?: (api: FakeApiServer) => boolean;
  /** Kinds of what is made, each of which is counted. */
  readonly made: readonly Resource[];
}

/** A write that the operator doesn't survive: cut off before it is carried out, or before its answer arrives. */
export interface Strike {
  readonly write: number;
  readonly before: boolean;
}

const isWrite = (method: string, path: string) => method !== "GET" && !path.includes("/events");

/** Every write of a story of so many, before it and after it. */
export const strikes = (writes: number, when: ("before" | "after")[] = ["before", "after"]): ["before" | "after", number, Strike][] =>
  Array.from({ length: writes }, (_, index) => index + 1).flatMap((write) =>
    when.map((each): ["before" | "after", number, Strike] => [each, write, { write, before: each === "before" }]),
  );

/** A story whose operator is killed at one of its writes and started anew. */
export class Interrupted {
  readonly clock = new VirtualClock("2026-11-23T12:00:00Z");
  readonly api: FakeApiServer;
  readonly #story: Story;
  /** UIDs of everything that ever was, by kind. */
  readonly #seen = new Map<string, Set<string>>();
  #manager: Manager | undefined;

  private constructor(api: FakeApiServer, story: Story) {
    this.api = api;
    this.#story = story;
  }

  /** Resolves at the story's end; whoever has it stops it. */
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

  /** How many objects of each kind there ever were. */
  get made(): Record<string, number> {
    return Object.fromEntries([...this.#seen].map(([kind, uids]) => [kind, uids.size]));
  }

  /** Writes of the operator so far, without events. */
  get writes(): number {
    return this.api.requests.filter(({ method, path }) => isWrite(method, path)).length;
  }

  /** A Job ends well, its pod with these last words of one container; none where they are lost. */
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
