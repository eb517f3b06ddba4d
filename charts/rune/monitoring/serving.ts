import type { Dashboard } from "./dashboard.ts";

const own = 'job="rune-loader", namespace=~"$namespace", pod=~"$pod"';
/** The containers of a server's pods. */
const pods = 'namespace=~"$namespace", pod=~"$pod", container=~"vllm|loader"';
const rate = (metric: string, by: string, selector = own) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
const quantile = (share: number, metric: string, by: string) =>
  `histogram_quantile(${share}, sum by (le, ${by}) (rate(${metric}_bucket{${own}}[$__rate_interval])))`;

export const serving: Dashboard = {
  uid: "rune-serving",
  title: "Rune / Serving",
  description: "Engines, the adapters that they have loaded, and the requests that they serve.",
  variables: { namespace: 'rune_loader_slots{job="rune-loader"}', pod: 'rune_loader_slots{job="rune-loader", namespace=~"$namespace"}' },
  panels: [
    {
      title: "Engines that answer",
      description: "Replicas whose engine recently answered a real completion.",
      unit: "short",
      isStat: true,
      queries: [["ready", `sum(rune_loader_engine_ready{${own}})`]],
    },
    {
      title: "Replicas",
      description: "Loaders that can be scraped.",
      unit: "short",
      isStat: true,
      queries: [["replicas", `sum(up{${own}})`]],
    },
    {
      title: "Adapters loaded",
      description: "Over all replicas; an adapter counts once per replica.",
      unit: "short",
      isStat: true,
      queries: [["loaded", `sum(rune_loader_adapters{${own}, state="Loaded"})`]],
    },
    {
      title: "Slots",
      description: "Over all replicas.",
      unit: "short",
      isStat: true,
      queries: [["slots", `sum(rune_loader_slots{${own}})`]],
    },
    {
      title: "Requests",
      description: "By status code. 429: too many are open. 503: engine or adapter is unavailable. 499: the client disconnected.",
      unit: "reqps",
      queries: [["{{path}} {{status}}", rate("rune_loader_request_seconds_count", "path, status")]],
    },
    {
      title: "Requests that fail",
      description: "The share of all requests that get 5xx.",
      unit: "percentunit",
      queries: [
        [
          "{{pod}}",
          `${rate("rune_loader_request_seconds_count", "pod", `${own}, status=~"5.."`)} / ${rate("rune_loader_request_seconds_count", "pod")}`,
        ],
      ],
    },
    {
      title: "Time of a request",
      description: "Until the last byte, including the wait for an adapter.",
      unit: "s",
      queries: [
        ["{{path}} half", quantile(0.5, "rune_loader_request_seconds", "path")],
        ["{{path}} 95 %", quantile(0.95, "rune_loader_request_seconds", "path")],
        ["{{path}} 99 %", quantile(0.99, "rune_loader_request_seconds", "path")],
      ],
    },
    {
      title: "Open requests",
      description: "Requests that engines are working on. At a replica's limit, further ones get 429.",
      unit: "short",
      queries: [["{{pod}}", `sum by (pod) (rune_loader_in_flight{${own}})`]],
    },
    {
      title: "Adapters",
      description: "Staging ones are being loaded, refused ones can't be.",
      unit: "short",
      queries: [["{{pod}} {{state}}", `sum by (pod, state) (rune_loader_adapters{${own}})`]],
    },
    {
      title: "Time to load an adapter, 95th percentile",
      description: "Fetching, checking, loading and the canary; a reload after an engine start fetches nothing.",
      unit: "s",
      queries: [["{{kind}}", quantile(0.95, "rune_loader_load_seconds", "kind")]],
    },
    {
      title: "Adapters loaded and refused",
      description: "By the reason of the refusal.",
      unit: "ops",
      queries: [
        ["loaded: {{kind}}", rate("rune_loader_load_seconds_count", "kind")],
        ["refused: {{reason}}", rate("rune_loader_refusals_total", "reason")],
      ],
    },
    {
      title: "Canaries",
      description:
        "Matched: the output is as recorded. Mismatched: the adapter has no effect here, or corrupts the engine. Unknown: undecided.",
      unit: "ops",
      queries: [["{{result}}", rate("rune_loader_canaries_total", "result")]],
    },
    {
      title: "Starts of the engine",
      description: "Within an hour, including the first of a pod.",
      unit: "short",
      queries: [["{{pod}}", `sum by (pod) (increase(rune_loader_engine_restarts_total{${own}}[1h]))`]],
    },
    {
      title: "CPU",
      description: "Cores of engines and loaders.",
      unit: "short",
      queries: [["{{pod}} {{container}}", `sum by (pod, container) (rate(container_cpu_usage_seconds_total{${pods}}[$__rate_interval]))`]],
    },
    {
      title: "Memory",
      description: "Of engines and loaders; not the GPU's.",
      unit: "bytes",
      queries: [["{{pod}} {{container}}", `max by (pod, container) (container_memory_working_set_bytes{${pods}})`]],
    },
    {
      title: "The loader's event loop, 99th percentile",
      description: "The delay that the proxy adds to a request, at worst.",
      unit: "s",
      queries: [["{{pod}}", `max by (pod) (nodejs_eventloop_lag_p99_seconds{${own}})`]],
    },
  ],
};
