import type { Dashboard } from "./dashboard.ts";

const operator = 'job="rune-operator"';
const chosen = `${operator}, controller=~"agent-session|training-run|evaluation|evolution-generation|environment-check|adapter"`;
/** Containers of worker pods: their names, and the operator's naming of the pods. */
const workers = {
  "sessions' agents": 'container="agent", pod=~".+-e[0-9]+-.+"',
  evaluators: 'container="evaluator", pod=~".+-ev[0-9]+-.+"',
  sandboxes: 'container="runner", pod=~".+-e?s[0-9]+"',
  trainers: 'container="trainer", pod=~".+-a[0-9]+-.+"',
  "environment checks": 'container="environment", pod=~".+-(n[0-9]+|ask)-.+"',
};
const inNamespace = (selector: string) => `namespace=~"$namespace", ${selector}`;

export const learning: Dashboard = {
  uid: "rune-learning",
  title: "Rune / Learning and evaluation",
  description: "What sessions, runs and evaluations consume. Their results are in their status, in the reports and in MLflow.",
  variables: { namespace: 'container_memory_working_set_bytes{container=~"agent|evaluator|trainer|environment"}' },
  panels: [
    {
      title: "Objects",
      description: "Sessions, runs, evaluations, generations and adapters in the operator's caches, ended ones included.",
      unit: "short",
      queries: [["{{resource}}", `max by (resource) (kopf_cache_objects{${operator}, resource=~".+[.]rune[.]dev"})`]],
    },
    {
      title: "Pods at work",
      description: "Running pods, by component.",
      unit: "short",
      queries: Object.entries(workers).map(([name, selector]) => [
        name,
        `count(container_memory_working_set_bytes{${inNamespace(selector)}}) or vector(0)`,
      ]),
    },
    {
      title: "Reconciles that fail",
      description: "By kind. The objects' conditions give the cause.",
      unit: "ops",
      queries: [["{{controller}}", `sum by (controller) (rate(controller_runtime_reconcile_errors_total{${chosen}}[$__rate_interval]))`]],
    },
    {
      title: "Wait for the operator, 99th percentile",
      description: "How long an object that is due waits for a worker.",
      unit: "s",
      queries: [
        [
          "{{controller}}",
          `histogram_quantile(0.99, sum by (le, controller) (rate(workqueue_queue_duration_seconds_bucket{${chosen}}[$__rate_interval])))`,
        ],
      ],
    },
    {
      title: "CPU",
      description: "Cores, by component.",
      unit: "short",
      queries: Object.entries(workers).map(([name, selector]) => [
        name,
        `sum(rate(container_cpu_usage_seconds_total{${inNamespace(selector)}}[$__rate_interval])) or vector(0)`,
      ]),
    },
    {
      title: "Memory of trainers",
      description: "A trainer that runs out of memory fails with OutOfMemory; this shows how close the others are.",
      unit: "bytes",
      queries: [
        ["{{namespace}}/{{pod}}", `max by (namespace, pod) (container_memory_working_set_bytes{${inNamespace(workers.trainers)}})`],
      ],
    },
    {
      title: "Requests of sessions and evaluations to engines",
      description: "All requests to the servers, including those of other clients.",
      unit: "reqps",
      queries: [
        [
          "{{namespace}} {{status}}",
          'sum by (namespace, status) (rate(rune_loader_request_seconds_count{job="rune-loader", namespace=~"$namespace"}[$__rate_interval]))',
        ],
      ],
    },
    {
      title: "Space used by weights, trajectories and reports",
      description: "The registry's volume, which only grows.",
      unit: "bytes",
      queries: [
        ["used", 'max(kubelet_volume_stats_used_bytes{namespace="rune-system", persistentvolumeclaim="rune-registry"})'],
        ["capacity", 'max(kubelet_volume_stats_capacity_bytes{namespace="rune-system", persistentvolumeclaim="rune-registry"})'],
      ],
    },
  ],
};
