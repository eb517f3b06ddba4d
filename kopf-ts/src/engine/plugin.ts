import type { Manager } from "./manager.ts";
import type { Permission } from "./permission.ts";

/** What a manager runs besides its controllers, such as Handlers: `manager.use(plugin)`. */
export interface Plugin {
  /** Called when the manager starts, before its caches: the place to add controllers. Rejecting aborts the start. */
  begin(manager: Manager): Promise<void>;
  /**
   * Called once controllers have ended, while the client still works; also if `begin` was never reached. Rejecting is
   * logged.
   */
  end(manager: Manager): Promise<void>;
  /** What it does in the cluster, as far as that is known before the start: for `rbacOf`. */
  declares?(): readonly Permission[];
  /** Asked at `/healthz`, by name: what each returns is shown, what it throws means that the program is not well. */
  readonly probes?: Readonly<Record<string, () => unknown>>;
}
