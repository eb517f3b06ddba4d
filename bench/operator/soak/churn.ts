import { type Api, HttpError } from "../http.ts";
import { monotonicMicroseconds } from "../proc.ts";
import { reviseWidget, type Widget, widgetsPath } from "../widgets.ts";

/** Changes, deletes and creates widgets, and deletes what they own, at random and endlessly. */
export class Churn {
  readonly #api: Api;
  readonly #namespace: string;
  readonly #random: () => number;
  readonly #revisions: number[];
  readonly #open = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  /** The last changes to each object, for finding the cause of a missed key. */
  readonly history = new Map<string, string[]>();
  readonly done = { revised: 0, created: 0, deleted: 0, childrenDeleted: 0, unanswered: 0 };

  constructor(api: Api, namespace: string, objects: number, random: () => number = Math.random) {
    this.#api = api;
    this.#namespace = namespace;
    this.#random = random;
    this.#revisions = Array.from({ length: objects }, () => 1);
  }

  start(perSecond: number): void {
    this.#timer = setInterval(() => this.#step(), 1000 / perSecond);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }

  #step(): void {
    const step = this.#act(Math.floor(this.#random() * this.#revisions.length))
      // The real server is restarted meanwhile: a failed change will be repeated by chance.
      .catch((error: unknown) => {
        if (!(error instanceof HttpError && (error.status === 404 || error.status === 409))) this.done.unanswered += 1;
      })
      .finally(() => this.#open.delete(step));
    this.#open.add(step);
  }

  async #act(index: number): Promise<void> {
    const name = `w-${index}`;
    const dice = this.#random();
    if (dice < 0.05) {
      this.#note(name, "deletes the widget");
      await this.#api.call("DELETE", `${widgetsPath(this.#namespace)}/${name}`);
      this.done.deleted += 1;
    } else if (dice < 0.15) {
      if (!(await this.#isAnswered(name))) return;
      this.#note(name, "deletes the ConfigMap");
      await this.#api.call("DELETE", `/api/v1/namespaces/${this.#namespace}/configmaps/${name}`);
      this.done.childrenDeleted += 1;
    } else if (dice < 0.3) {
      this.#note(name, "creates the widget");
      await this.#create(name, this.#next(index));
      this.done.created += 1;
    } else {
      this.#note(name, "revises the widget");
      await reviseWidget(this.#api, this.#namespace, name, this.#next(index));
      this.done.revised += 1;
    }
  }

  /**
   * Whether the operator has seen the ConfigMap. One that was created and deleted while a cache was disconnected leaves
   * no trace in a new list: no operator that trusts its caches, in any language, can detect that deletion.
   */
  async #isAnswered(name: string): Promise<boolean> {
    const { spec, status } = await this.#api.call<Widget>("GET", `${widgetsPath(this.#namespace)}/${name}`);
    return spec?.revision !== undefined && status?.revision === spec.revision;
  }

  #note(name: string, what: string): void {
    const before = this.history.get(name) ?? [];
    this.history.set(name, [...before.slice(-5), `${new Date().toISOString()} ${what}`]);
  }

  /** Revisions keep rising across deletions. */
  #next(index: number): number {
    const next = (this.#revisions[index] ?? 0) + 1;
    this.#revisions[index] = next;
    return next;
  }

  #create(name: string, revision: number): Promise<unknown> {
    const spec = { revision, sentAt: monotonicMicroseconds() };
    return this.#api.call("POST", widgetsPath(this.#namespace), {
      apiVersion: "bench.rune.dev/v1",
      kind: "Widget",
      metadata: { name },
      spec,
    });
  }
}
