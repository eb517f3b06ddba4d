/**
 * Values that programs throw and return by accident: each breaks `String(…)`, `JSON.stringify(…)`, `instanceof` or a
 * field's getter.
 */
export function oddValues(): Readonly<Record<string, unknown>> {
  const refuse = (): never => {
    throw new Error("a getter of the program's own throws");
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const bare = Object.create(null) as object;
  const throwing = Object.assign(new Error("?"), { toJSON: refuse });
  Object.defineProperty(throwing, "message", { get: refuse });
  const numbered = Object.assign(new Error("?"), { message: 42 });
  return {
    undefined: undefined,
    null: null,
    "a symbol": Symbol("odd"),
    "a BigInt": 1n,
    "an object without a prototype": bare,
    "an object that throws when it is told to describe itself": { toString: refuse, toJSON: refuse },
    "an Error whose message throws": throwing,
    "an Error whose message is a number": numbered,
    "a proxy that refuses everything": new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse }),
    "a revoked proxy": revoked.proxy,
    "an object that holds itself": cycle,
    "a function": () => "x",
  };
}
