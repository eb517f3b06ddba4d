/** The methods of the Kubernetes API. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
/** The parameters of a request; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A request to the API server. Its path begins with `/api` or `/apis`. */
export interface Request {
  readonly method: Method;
  readonly path: string;
  readonly query?: Query;
  readonly body?: string;
  /** Of the body. Default `application/json`. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /**
   * Called right before the request is sent over its connection, however long it had to wait for one: an error that it
   * throws ends the request.
   */
  readonly admit?: () => void;
}
