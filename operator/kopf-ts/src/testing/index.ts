export { FakeRecorder, fakeCache, fakeContext } from "./context.ts";
export { FakeApiServer } from "./fake-api-server.ts";
export type { Fault, FaultAction, SeenRequest } from "./faults.ts";
export { eventually, settle, VirtualClock } from "./virtual-clock.ts";
