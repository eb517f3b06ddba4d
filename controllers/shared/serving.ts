import type { ModelServer } from "@rune/crds/kinds/model-server";
import { port } from "@rune/crds/words/ports";

/** Name for requests to a ModelServer's base model; adapters are requested by their own names. */
export function servedBaseName({ huggingFace, oci, pvc }: ModelServer["spec"]["base"]): string {
  if (huggingFace) return huggingFace.repository;
  return (
    (oci?.repository ?? pvc?.path ?? "")
      .split("/")
      .filter((step) => step && step !== ".")
      .at(-1) ?? "base"
  );
}

/** Base URL of a ModelServer's OpenAI-compatible API, as pods of the cluster reach it. */
export function serverURL(server: { name: string; namespace: string }): string {
  return `http://${serverHost(server)}:${port.inference}/v1`;
}

export const serverHost = ({ name, namespace }: { name: string; namespace: string }) => `${name}.${namespace}.svc`;

type AdapterOnServer = NonNullable<NonNullable<ModelServer["status"]>["adapters"]>[number];

/** The state of an adapter on a server. */
export const adapterOn = (server: ModelServer | undefined, name: string): AdapterOnServer | undefined =>
  server?.status?.adapters?.find((adapter) => adapter.name === name);

/** The server's message about an adapter that isn't served, to append to a sentence; empty if there is none. */
export function detailOf(adapter: AdapterOnServer | undefined): string {
  const why = adapter?.message ?? adapter?.reason;
  return why ? `: ${why}` : "";
}

/** Whether an engine serves it. */
export const isServed = (adapter: AdapterOnServer | undefined): boolean => adapter?.state === "Loaded" && adapter.engines > 0;
