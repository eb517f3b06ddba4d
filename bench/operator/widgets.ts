import { type Api, HttpError, inParallel } from "./http.ts";
import { monotonicMicroseconds } from "./proc.ts";

/** The benchmark's own kind: a spec with a revision, a status with the last seen revision. */
export const widgetDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.bench.rune.dev" },
  spec: {
    group: "bench.rune.dev",
    scope: "Namespaced",
    names: { kind: "Widget", listKind: "WidgetList", plural: "widgets", singular: "widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                properties: {
                  revision: { type: "integer", format: "int64", description: "Rises with each change." },
                  sentAt: { type: "integer", format: "int64", description: "When this revision was sent: microseconds, monotonic." },
                  children: { type: "integer", minimum: 0, description: "How many ConfigMaps it owns." },
                },
              },
              status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
            },
          },
        },
      },
    ],
  },
};

export interface Widget {
  metadata: { name: string; uid: string; resourceVersion: string; deletionTimestamp?: string };
  spec?: { revision?: number; sentAt?: number; children?: number };
  status?: { revision?: number };
}

export const widgetsPath = (namespace: string) => `/apis/bench.rune.dev/v1/namespaces/${namespace}/widgets`;

export const installWidgets = (api: Api): Promise<void> => installDefinition(api, widgetDefinition, widgetsPath("default"));

/** Creates a CustomResourceDefinition, and waits until its objects are served at the path. */
export async function installDefinition(api: Api, definition: object, path: string): Promise<void> {
  await api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
  for (let attempt = 0; ; attempt += 1) {
    try {
      await api.call("GET", path);
      return;
    } catch (error) {
      if (attempt > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export async function createNamespace(api: Api, name: string): Promise<void> {
  try {
    await api.call("POST", "/api/v1/namespaces", { metadata: { name } });
  } catch (error) {
    if (!(error instanceof HttpError && error.status === 409)) throw error;
  }
}

export interface Batch {
  readonly namespace: string;
  readonly prefix: string;
  readonly count: number;
  readonly children?: number;
  /** Without spec. */
  readonly metadataOnly?: boolean;
}

/** Creates `<prefix>-0 …`, sixteen at a time. */
export async function createWidgets(api: Api, { namespace, prefix, count, children, metadataOnly }: Batch): Promise<void> {
  await inParallel(count, 16, (index) => {
    const spec = { revision: 1, sentAt: monotonicMicroseconds(), ...(children === undefined ? {} : { children }) };
    const body = {
      apiVersion: "bench.rune.dev/v1",
      kind: "Widget",
      metadata: { name: `${prefix}-${index}` },
      ...(metadataOnly ? {} : { spec }),
    };
    return api.call("POST", widgetsPath(namespace), body);
  });
}

export async function reviseWidget(api: Api, namespace: string, name: string, revision: number): Promise<void> {
  await api.patch(`${widgetsPath(namespace)}/${name}`, { spec: { revision, sentAt: monotonicMicroseconds() } });
}
