import type { ModelServer } from "@rune/crds/kinds/model-server";
import { port } from "@rune/crds/words/ports";

/** Name under which a ModelServer's base model is asked for; adapters are asked for by their own names. */
export function servedBaseName({ huggingFace, oci, pvc }: ModelServer["spec"]["base"]): string {
  if (huggingFace) return huggingFace.repository;
  return (oci?.repository ?? pvc?.path ?? "").split("/").filter(Boolean).at(-1) ?? "base";
}

/** Base URL of a ModelServer's OpenAI-compatible API, as pods of the cluster reach it. */
export function serverURL(server: { name: string; namespace: string }): string {
  return `http://${serverHost(server)}:${port.inference}/v1`;
}

export const serverHost = ({ name, namespace }: { name: string; namespace: string }) => `${name}.${namespace}.svc`;

type AdapterOnServer = NonNullable<NonNullable<ModelServer["status"]>["adapters"]>[number];

/** How an adapter stands on a server. */
export const adapterOn = (server: ModelServer | undefined, name: string): AdapterOnServer | undefined =>
  server?.status?.adapters?.find((adapter) => adapter.name === name);

/** What a server says of an adapter that doesn't answer yet, or never will, to stand behind a sentence; empty where it says nothing. */
export function detailOf(adapter: AdapterOnServer | undefined): string {
  const why = adapter?.message ?? adapter?.reason;
  return why ? `: ${why}` : "";
}

/** Whether an engine answers with it. */
export const isServed = (adapter: AdapterOnServer | undefined): boolean => adapter?.state === "Loaded" && adapter.engines > 0;
