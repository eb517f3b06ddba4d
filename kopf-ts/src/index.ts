export * from "./api-error.ts";
export { type Cache, type CacheReader, type CacheSelection, type ChangeHandler, Informer, type InformerOptions } from "./cache.ts";
export * from "./client.ts";
export * from "./clock.ts";
export * from "./conditions.ts";
export {
  type Controller,
  type ControllerBuilder,
  type ControllerOptions,
  initialListPriority,
  type MapFunction,
  type SourceOptions,
} from "./controller.ts";
export * from "./credentials.ts";
export { fieldManagerPatch, type ManagedFieldsEntry, mergeFieldManagers } from "./field-manager.ts";
export { finalizerPatch } from "./finalizer.ts";
export * from "./handlers/index.ts";
export { type Check, type HealthOptions, HealthServer } from "./health.ts";
export * from "./leader-election.ts";
export * from "./logger.ts";
export { Manager, type ManagerOptions, type Runnable, StillRunningError } from "./manager.ts";
export { mergePatch } from "./merge-patch.ts";
export { Metrics } from "./metrics.ts";
export { type Modification, mergeDiff } from "./modify.ts";
export * from "./object.ts";
export * from "./outcome.ts";
export * from "./owner.ts";
export * from "./predicate.ts";
export { type AddOptions, type QueueObserver, type QueueOptions, type Taken, WorkQueue } from "./queue.ts";
export * from "./reconciler.ts";
export { Recorder, type RecorderOptions } from "./recorder.ts";
export { Reflector, type ReflectorObserver, type ReflectorOptions, type ReflectorSink } from "./reflector.ts";
export * from "./resource.ts";
export type { DiscoveredResource } from "./resource-map.ts";
export { InvalidObjectError, type ObjectSchema } from "./schema.ts";
export { nextStatus } from "./status.ts";
export type { Change, FreezeDepth, IndexFailed, IndexFunction } from "./store.ts";
export { type Table, type TableColumn, tableText } from "./table.ts";
export { terminationSignal } from "./termination.ts";
export { type Exchange, type Method, type Query, type Request, Transport, type TransportOptions } from "./transport.ts";
