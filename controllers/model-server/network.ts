import type { ModelServer } from "@rune/crds/kinds/model-server";
import { label } from "@rune/crds/words/labels";
import { port } from "@rune/crds/words/ports";
import type { KubeObject } from "../pods/manifest.ts";
import { ownedMetadata } from "../pods/pod.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { headlessServiceName } from "../shared/names.ts";
import { podLabels } from "./manifests.ts";

const namespaceLabel = "kubernetes.io/metadata.name";

/** One Service for clients, whichever replica serves them; Prometheus finds the metrics by it as well. */
export function service(server: ModelServer): KubeObject & { spec: object } {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(server, server.metadata.name, podLabels(server)),
    spec: {
      selector: podLabels(server),
      ports: [
        { name: "http", port: port.inference, targetPort: port.inference, protocol: "TCP" },
        { name: "metrics", port: port.metrics, targetPort: port.metrics, protocol: "TCP" },
      ],
    },
  };
}

/** Gives every pod a DNS name, even before it is ready. */
export function headlessService(server: ModelServer): KubeObject & { spec: object } {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: ownedMetadata(server, headlessServiceName(server.metadata.name), podLabels(server)),
    spec: {
      clusterIP: "None",
      publishNotReadyAddresses: true,
      selector: podLabels(server),
      ports: [{ name: "http", port: port.inference, targetPort: port.inference, protocol: "TCP" }],
    },
  };
}

/** Access to and from a server's pods. The engine's port isn't reachable: it listens on localhost. */
export function networkPolicy(server: ModelServer, config: OperatorConfig): KubeObject & { spec: object } {
  const clients = config.engine.openInference
    ? { podSelector: {} }
    : { podSelector: { matchExpressions: [{ key: label.component, operator: "In", values: ["agent", "evaluator", "environment"] }] } };
  const peers = { podSelector: { matchLabels: podLabels(server) } };
  const operator = {
    namespaceSelector: { matchLabels: { [namespaceLabel]: config.operatorNamespace } },
    podSelector: { matchLabels: { "app.kubernetes.io/component": "operator" } },
  };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(server, server.metadata.name, podLabels(server)),
    spec: {
      podSelector: { matchLabels: podLabels(server) },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { from: [clients, peers], ports: [tcp(port.inference)] },
        { from: [operator], ports: [tcp(port.admin)] },
        { ports: [tcp(port.metrics)] },
      ],
      egress: [
        // To any address, because node-local DNS answers on an address of the node.
        { ports: dnsPorts.flatMap((number) => [{ port: number, protocol: "UDP" }, tcp(number)]) },
        { to: [peers], ports: [tcp(port.inference)] },
        egressTo(config.registry.url, config),
        // The hub; and a token server or a store of blobs, whose addresses only a registry of one's own can tell.
        ...(server.spec.base.huggingFace || config.registry.credentialsSecret ? [{ ports: [tcp(443)] }] : []),
        ...(server.spec.base.huggingFace ? hubEgress(config) : []),
      ],
    },
  };
}

/**
 * Policies don't support host names: for a Service its namespace is allowed, for everything else any address at the
 * URL's port. Policies match the pod's port, which is known to equal the Service's only in the operator's namespace.
 */
export function egressTo(url: string, { operatorNamespace }: Pick<OperatorConfig, "operatorNamespace">): object {
  const { hostname, port: given, protocol } = new URL(url);
  const ports = [tcp(given ? Number(given) : protocol === "https:" ? 443 : 80)];
  const namespace = /^[^.]+\.([^.]+)\.svc(\.|$)/.exec(hostname)?.[1];
  if (!namespace) return { ports };
  const to = [{ namespaceSelector: { matchLabels: { [namespaceLabel]: namespace } } }];
  return namespace === operatorNamespace ? { to, ports } : { to };
}

/** A mirror of the hub, and the proxy before it. */
const hubEgress = (config: OperatorConfig): object[] =>
  [config.hub.endpoint, config.hub.proxy].flatMap((url) => (url ? [egressTo(url, config)] : []));

/** A policy sees the port of the DNS server's pod: 53, and 5353 on OpenShift. */
const dnsPorts = [53, 5353];

const tcp = (number: number) => ({ port: number, protocol: "TCP" });
