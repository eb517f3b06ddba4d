import type { Request } from "./request.ts";
import { Transport } from "./transport.ts";

/**
 * The connections of another transport, over which only reads are sent once `admit` throws: it is called right before
 * each request is sent.
 */
export class GuardedTransport extends Transport {
  readonly #inner: Transport;
  readonly #admit: () => void;

  constructor(inner: Transport, admit: () => void) {
    super(inner.options);
    this.#inner = inner;
    this.#admit = admit;
  }

  override json<T>(request: Request): Promise<T> {
    return this.#inner.json(this.#guarded(request));
  }

  override text(request: Request): Promise<string> {
    return this.#inner.text(this.#guarded(request));
  }

  override lines(request: Request): AsyncGenerator<string[]> {
    return this.#inner.lines(request);
  }

  override observe(...listener: Parameters<Transport["observe"]>): void {
    this.#inner.observe(...listener);
  }

  override close(): Promise<void> {
    return this.#inner.close();
  }

  #guarded(request: Request): Request {
    return request.method === "GET" ? request : { ...request, admit: this.#admit };
  }
}
