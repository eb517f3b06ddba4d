import type { Dashboard } from "./dashboard.ts";

const own = 'job="rune-operator", namespace=~"$namespace"';
const chosen = `${own}, controller=~"$controller"`;
/** The containers that the chart itself starts. */
const services = 'namespace=~"$namespace", container=~"operator|registry|nats|mlflow"';
const quantile = (metric: string, by: string, selector = chosen) =>
  `histogram_quantile(0.99, sum by (le, ${by}) (rate(${metric}_bucket{${selector}}[$__rate_interval])))`;
const rate = (metric: string, by: string, selector = chosen) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;

export const operator: Dashboard = {
  uid: "rune-operator",
  title: "Rune / Operator",
  description: "Whether the operator keeps up, and what slows it down.",
  variables: {
    namespace: 'controller_runtime_max_concurrent_reconciles{job="rune-operator"}',
    controller: 'controller_runtime_max_concurrent_reconciles{job="rune-operator"}',
  },
  panels: [
    {
      title: "Operators",
      description: "Replicas that can be scraped.",
      unit: "short",
      isStat: true,
      queries: [["operators", `sum(up{${own}})`]],
    },
    {
      title: "Leaders",
      description: "One, unless leader election is switched off.",
      unit: "short",
      isStat: true,
      queries: [["leaders", `sum(leader_election_master_status{${own}})`]],
    },
    {
      title: "Objects that don't match their schema",
      description: "They are not reconciled.",
      unit: "short",
      isStat: true,
      queries: [["invalid", `sum(kopf_cache_invalid_objects{${own}})`]],
    },
    {
      title: "Reconciles that hang",
      description: "Aborted but still running; their objects wait.",
      unit: "short",
      isStat: true,
      queries: [["stragglers", `sum(kopf_stragglers{${chosen}})`]],
    },
    {
      title: "Reconciles",
      description: "Finished reconciles, by result.",
      unit: "ops",
      queries: [["{{controller}} {{result}}", rate("controller_runtime_reconcile_total", "controller, result")]],
    },
    {
      title: "Failures",
      description: "Errors are retried; those that fail permanently are not. Panics and timeouts are defects.",
      unit: "ops",
      queries: [
        ["{{controller}} error", rate("controller_runtime_reconcile_errors_total", "controller")],
        ["{{controller}} permanently", rate("controller_runtime_terminal_reconcile_errors_total", "controller")],
        ["{{controller}} panic", rate("controller_runtime_reconcile_panics_total", "controller")],
        ["{{controller}} timeout", rate("controller_runtime_reconcile_timeouts_total", "controller")],
      ],
    },
    {
      title: "Time of a reconcile, 99th percentile",
      description: "Rises with the latency of the API server and the registry.",
      unit: "s",
      queries: [["{{controller}}", quantile("controller_runtime_reconcile_time_seconds", "controller")]],
    },
    {
      title: "Busy workers",
      description: "At 100 % objects queue up.",
      unit: "percentunit",
      queries: [
        [
          "{{controller}}",
          `sum by (controller) (controller_runtime_active_workers{${chosen}}) / sum by (controller) (controller_runtime_max_concurrent_reconciles{${chosen}})`,
        ],
      ],
    },
    {
      title: "Queue",
      description: "Objects that are due and wait for a worker.",
      unit: "short",
      queries: [["{{controller}}", `sum by (controller) (workqueue_depth{${chosen}})`]],
    },
    {
      title: "Wait for a worker, 99th percentile",
      description: "More than a second means that the operator falls behind.",
      unit: "s",
      queries: [["{{controller}}", quantile("workqueue_queue_duration_seconds", "controller")]],
    },
    {
      title: "Added and retried",
      description: "Objects added to the queue. Rising retries mean failures or conflicts.",
      unit: "ops",
      queries: [
        ["{{controller}} added", rate("workqueue_adds_total", "controller")],
        ["{{controller}} retried", rate("workqueue_retries_total", "controller")],
      ],
    },
    {
      title: "Work in progress",
      description: "The longest that is running, the sum of all that are, and the 99th percentile of those that have ended.",
      unit: "s",
      queries: [
        ["{{controller}} longest", `max by (controller) (workqueue_longest_running_processor_seconds{${chosen}})`],
        ["{{controller}} together", `sum by (controller) (workqueue_unfinished_work_seconds{${chosen}})`],
        ["{{controller}} ended", quantile("workqueue_work_duration_seconds", "controller")],
      ],
    },
    {
      title: "Requests to the API server",
      description: "By status code; <error> if there was no response.",
      unit: "reqps",
      queries: [["{{method}} {{code}}", rate("rest_client_requests_total", "method, code", own)]],
    },
    {
      title: "Time of a request to the API server, 99th percentile",
      description: "For a watch, until the response's headers arrive.",
      unit: "s",
      queries: [["{{verb}}", quantile("rest_client_request_duration_seconds", "verb", own)]],
    },
    {
      title: "Objects in caches",
      description: "What the operator holds in memory.",
      unit: "short",
      queries: [["{{resource}}", `max by (resource) (kopf_cache_objects{${own}})`]],
    },
    {
      title: "Lists and watches",
      description: "A list after the start means that a watch couldn't be resumed.",
      unit: "ops",
      queries: [
        ["{{resource}} listed", rate("kopf_cache_lists_total", "resource", own)],
        ["{{resource}} watched", rate("kopf_cache_watches_total", "resource", own)],
      ],
    },
    {
      title: "Event loop",
      description: "How late timers ran since the last scrape. Above a second the operator needs more CPU.",
      unit: "s",
      queries: [["{{pod}} {{quantile}}", `max by (pod, quantile) (kopf_event_loop_lag_seconds{${own}})`]],
    },
    {
      title: "CPU",
      description: "Cores of operator, registry, NATS and MLflow.",
      unit: "short",
      queries: [["{{container}}", `sum by (container) (rate(container_cpu_usage_seconds_total{${services}}[$__rate_interval]))`]],
    },
    {
      title: "Memory",
      description: "Of operator, registry, NATS and MLflow.",
      unit: "bytes",
      queries: [["{{container}}", `max by (container) (container_memory_working_set_bytes{${services}})`]],
    },
    {
      title: "Volumes",
      description: "The share in use. NATS stops earlier, at nats.maxFileStore.",
      unit: "percentunit",
      queries: [
        [
          "{{persistentvolumeclaim}}",
          '1 - max by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{namespace=~"$namespace", persistentvolumeclaim=~"rune-registry|rune-mlflow|data-rune-nats-0"} / kubelet_volume_stats_capacity_bytes)',
        ],
      ],
    },
  ],
};
