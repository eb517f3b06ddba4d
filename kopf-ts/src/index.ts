export * from "./api/api-error.ts";
export { Client } from "./api/client.ts";
export * from "./api/credentials.ts";
export { type FieldsV1, fieldManagerPatch, type ManagedFieldsEntry, mergeFieldManagers } from "./api/field-manager.ts";
export { mergePatch } from "./api/merge-patch.ts";
export { type Modification, mergeDiff } from "./api/modify.ts";
export * from "./api/object.ts";
export type { Method, Query, Request } from "./api/request.ts";
export {
  type ApplyOptions,
  type CallOptions,
  type DeleteOptions,
  endsInitialEvents,
  type JsonPatchOperation,
  type ListOptions,
  type ObjectList,
  type Patch,
  type PatchOptions,
  type Selector,
  selectorText,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
} from "./api/requests.ts";
export * from "./api/resource.ts";
export { type DiscoveredResource, ResourceMap } from "./api/resource-map.ts";
export { InvalidObjectError, type ObjectSchema, type WrittenShape } from "./api/schema.ts";
export { Subresource } from "./api/subresource.ts";
export { type Table, type TableColumn, tableText } from "./api/table.ts";
export { type Exchange, Transport, type TransportOptions } from "./api/transport.ts";
export type { FieldPath, MergePatch, SpecOf, StatusFields, StatusOf, WrittenAs } from "./api/written.ts";
export {
  type Cache,
  type CacheReader,
  type CacheSelection,
  type ChangeHandler,
  Informer,
  type InformerOptions,
  type Unfit,
} from "./cache/cache.ts";
export { Reflector, type ReflectorObserver, type ReflectorOptions, type ReflectorSink } from "./cache/reflector.ts";
export type { Change, FreezeDepth, IndexFailed, IndexFunction, Lookup } from "./cache/store.ts";
export { terminationSignal } from "./core/abort-signals.ts";
export * from "./core/clock.ts";
export * from "./core/logger.ts";
export { type Controller, type ControllerOptions, initialListPriority } from "./engine/controller.ts";
export type { ControllerBuilder, MapFunction, SourceOptions } from "./engine/controller-builder.ts";
export { type Check, type HealthOptions, HealthServer } from "./engine/health.ts";
export * from "./engine/leader-election.ts";
export { Manager, type Plugin, StillRunningError } from "./engine/manager.ts";
export type { ManagerOptions } from "./engine/manager-options.ts";
export { Metrics, type ReconcileResult } from "./engine/metrics.ts";
export type { Permission, Verb } from "./engine/permission.ts";
export { type AddOptions, type QueueObserver, type QueueOptions, type Taken, WorkQueue } from "./engine/queue.ts";
export type { Runnable } from "./engine/runnable-group.ts";
export * from "./handlers/index.ts";
export * from "./outcome/conditions.ts";
export { finalizerPatch } from "./outcome/finalizer.ts";
export * from "./outcome/outcome.ts";
export * from "./outcome/owner.ts";
export * from "./outcome/predicate.ts";
export * from "./outcome/reconciler.ts";
export { Recorder, type RecorderOptions } from "./outcome/recorder.ts";
export { nextStatus } from "./outcome/status.ts";
