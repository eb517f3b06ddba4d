/** The work that a pass has started and that has not ended yet. */
export class Running {
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

  /** Resolves once nothing is left, including what is added meanwhile. */
  async ended(): Promise<void> {
    while (this.#promises.size > 0) await Promise.allSettled(this.#promises);
  }
}
