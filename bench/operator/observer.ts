import { setTimeout as wait } from "node:timers/promises";
import { Api } from "./http.ts";
import { Ledger } from "./ledger.ts";
import { monotonicMicroseconds } from "./proc.ts";
import { type Widget, widgetsPath } from "./widgets.ts";

/**
 * A separate process that watches the widgets of one namespace with its own clock and reports to the bench when each
 * revision was answered. Started with a kubeconfig and a namespace as arguments, controlled over Node's IPC.
 */
export type Order = { readonly forget: true } | { readonly answers: number; readonly withinMilliseconds: number };
export type Report = { readonly ready: true } | { readonly sentAt: readonly number[]; readonly answeredAt: readonly number[] };

type Event = { type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR"; object: Widget };

const [kubeconfig = "", namespace = ""] = process.argv.slice(2);
const api = new Api(kubeconfig);
const ledger = new Ledger();
let waiting: { answers: number; timer: NodeJS.Timeout } | undefined;

const send = (report: Report) => process.send?.(report);

function answer(): void {
  if (!waiting) return;
  clearTimeout(waiting.timer);
  waiting = undefined;
  send(ledger.times);
}

function see(event: Event, at: number): void {
  if (event.type === "ERROR") throw new Error(`the observer's watch failed: ${JSON.stringify(event.object)}`);
  seen = event.object.metadata.resourceVersion;
  if (event.type === "DELETED") ledger.drop(event.object.metadata.uid);
  else if (event.type !== "BOOKMARK") ledger.see(event.object, at);
  if (waiting && ledger.answered >= waiting.answers) answer();
}

process.on("message", (order: Order) => {
  if ("forget" in order) {
    ledger.forget();
    send({ ready: true });
    return;
  }
  waiting = { answers: order.answers, timer: setTimeout(answer, order.withinMilliseconds) };
  if (ledger.answered >= order.answers) answer();
});
process.on("disconnect", () => process.exit(0));

const list = await api.call<{ items: Widget[]; metadata: { resourceVersion: string } }>("GET", widgetsPath(namespace));
for (const widget of list.items) ledger.see(widget, monotonicMicroseconds());
send({ ready: true });
let seen = list.metadata.resourceVersion;
// An overloaded server ends watches; the next one continues after the last event, so that nothing is missed.
for (;;) {
  const from = `watch=true&allowWatchBookmarks=true&timeoutSeconds=3600&resourceVersion=${seen}`;
  await api.lines(`${widgetsPath(namespace)}?${from}`, (line) => see(JSON.parse(line) as Event, monotonicMicroseconds()));
  await wait(100);
}
