/** The promises that a pass has started and that have not settled yet. */
export class WaitGroup {
  readonly #promises = new Set<Promise<unknown>>();

  get count(): number {
    return this.#promises.size;
  }

  add<P extends Promise<unknown>>(promise: P): P {
    this.#promises.add(promise);
    const remove = () => void this.#promises.delete(promise);
    promise.then(remove, remove);
    return promise;
  }

  /** Resolves once all have settled, including those added meanwhile. */
  async wait(): Promise<void> {
    while (this.#promises.size > 0) await Promise.allSettled(this.#promises);
  }
}
