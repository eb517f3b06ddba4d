export { type ClusterOptions, type ClusterPlace, withCluster } from "./cluster.ts";
export { type FakeIndex, FakeRecorder, fakeCache, fakeContext } from "./context.ts";
export { FakeApiServer } from "./fake-api-server.ts";
export type { Fault, FaultAction, SeenRequest } from "./faults.ts";
export { type LogEntry, OperatorRunner, type OperatorRunnerOptions } from "./operator-runner.ts";
export { eventually, settle, VirtualClock } from "./virtual-clock.ts";
