export type { RetryOptions } from "./attempt.ts";
export type { HandlerContext, ObjectView, Reason } from "./context.ts";
export type {
  ActivityContext,
  ActivityOptions,
  DaemonOptions,
  DeletionOptions,
  EventHandler,
  Handler,
  HandlerOptions,
  Login,
  TimerOptions,
} from "./declarations.ts";
export { type Diff, type DiffItem, diffOf } from "./diff.ts";
export { PermanentError, TemporaryError } from "./errors.ts";
export { type Essence, essenceOf } from "./essence.ts";
export type { Filters, ValueFilter } from "./filters.ts";
export { Handlers, type MaybeOptions, type Register, type RegisterActivity, type RegisterOptions } from "./handlers.ts";
export type { Index, IndexEntries, Indices } from "./indices.ts";
export type { Memo } from "./memory.ts";
export type { ObjectPatch } from "./object-patch.ts";
export { Operator, type OperatorOptions } from "./operator.ts";
export type { HandlersOptions } from "./resource-handlers.ts";
