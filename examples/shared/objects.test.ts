import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { emptyNamespace, until } from "./objects.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);
const away = new Error("`kubectl get` failed with exit status 1:\nThe connection to the server was refused");

test("an API server that is unavailable for some minutes doesn't end a run of hours", async () => {
  const look = vi.fn<() => Promise<string>>().mockResolvedValueOnce("begun").mockRejectedValue(away);
  const over = until(
    look,
    (seen) => seen === "done",
    () => {},
  );
  await minutes(4);
  look.mockResolvedValue("done");
  await minutes(1);
  expect(await over).toBe("done");
});

test("one that stays so does, with its own error", async () => {
  const over = until(
    vi.fn().mockRejectedValue(away),
    () => true,
    () => {},
  ).catch((error: Error) => error);
  await minutes(6);
  expect(await over).toBe(away);
});

test("an object that doesn't exist isn't waited for", async () => {
  const missing = new Error('`kubectl get` failed with exit status 1:\nError from server (NotFound): trainingruns.rune.dev "x" not found');
  await expect(
    until(
      vi.fn().mockRejectedValue(missing),
      () => true,
      () => {},
    ),
  ).rejects.toBe(missing);
});

const own = { "app.kubernetes.io/managed-by": "rune-example" };
/** A kubectl that knows one namespace with these labels, or none; `deleted` receives what it is asked to delete. */
const kubectlWith = (labels: Record<string, string> | undefined, deleted: string[]) => async (args: string[]) => {
  if (args[0] === "delete") deleted.push(args.slice(1, 3).join(" "));
  return args[0] === "get" && labels ? JSON.stringify({ metadata: { name: "team", labels } }) : "";
};

test("a second run deletes the namespace of the first, its servers first", async () => {
  const deleted: string[] = [];
  await emptyNamespace("team", own, kubectlWith({ ...own, "kubernetes.io/metadata.name": "team" }, deleted));
  expect(deleted).toEqual(["modelservers --all", "namespace team"]);
});

test("the first run deletes nothing", async () => {
  const deleted: string[] = [];
  await emptyNamespace("team", own, kubectlWith(undefined, deleted));
  expect(deleted).toEqual([]);
});

test.each([
  ["no labels", {}],
  ["another example's labels", { "app.kubernetes.io/managed-by": "rune-other" }],
])("a namespace with %s is neither used nor deleted", async (_, labels) => {
  const deleted: string[] = [];
  const refused = emptyNamespace("team", own, kubectlWith(labels, deleted));
  await expect(refused).rejects.toThrow("namespace team exists and was not made by this example");
  expect(deleted).toEqual([]);
});
