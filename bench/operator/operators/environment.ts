import { readFileSync } from "node:fs";

/** The bench's settings for an operator, from its environment. */
export interface Orders {
  readonly server: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly mode: "status" | "children" | "cache";
  readonly namespace: string;
  readonly workers: number;
}

interface KubeConfigJson {
  clusters: [{ cluster: { server: string; "certificate-authority-data": string } }];
  users: [{ user: { "client-certificate-data": string; "client-key-data": string } }];
}

/** The bench writes its kubeconfigs as JSON (which is YAML too), with one cluster and one user. */
export function accessFrom(kubeconfig: string): Pick<Orders, "server" | "tls"> {
  const config = JSON.parse(readFileSync(kubeconfig, "utf8")) as KubeConfigJson;
  const [{ cluster }] = config.clusters;
  const [{ user }] = config.users;
  const decode = (data: string) => Buffer.from(data, "base64").toString("utf8");
  return {
    server: cluster.server,
    tls: {
      ca: decode(cluster["certificate-authority-data"]),
      cert: decode(user["client-certificate-data"]),
      key: decode(user["client-key-data"]),
    },
  };
}

export function ordersFrom(environment: Readonly<Record<string, string | undefined>>): Orders {
  const { KUBECONFIG, RUNE_BENCH_MODE, RUNE_BENCH_NAMESPACE, RUNE_BENCH_WORKERS } = environment;
  if (!KUBECONFIG || !RUNE_BENCH_MODE || !RUNE_BENCH_NAMESPACE || !RUNE_BENCH_WORKERS) {
    throw new Error("this operator is started by the bench, which sets KUBECONFIG and RUNE_BENCH_MODE, _NAMESPACE and _WORKERS");
  }
  return {
    ...accessFrom(KUBECONFIG),
    mode: RUNE_BENCH_MODE as Orders["mode"],
    namespace: RUNE_BENCH_NAMESPACE,
    workers: Number(RUNE_BENCH_WORKERS),
  };
}

/** One line of JSON to the bench. */
export function tell(message: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
