import { describe, expect, test } from "vitest";
import { eventually, FakeApiServer } from "../testing/index.ts";
import { isConflict } from "./api-error.ts";
import { type ManagedFieldsEntry, mergeFieldManagers } from "./field-manager.ts";
import { configMaps } from "./resource.ts";

const entry = (
  manager: string,
  operation: "Apply" | "Update",
  fields: object,
  more: Partial<ManagedFieldsEntry> = {},
): ManagedFieldsEntry => ({
  manager,
  operation,
  apiVersion: "v1",
  fieldsType: "FieldsV1",
  fieldsV1: fields as ManagedFieldsEntry["fieldsV1"],
  ...more,
});
const managers = { from: ["old", "new"], to: "new" };

describe("taking over from other field managers", () => {
  test("joins what they updated and applied to what the new one applies; others and subresources stay", () => {
    const status = entry("old", "Update", { "f:status": {} }, { subresource: "status" });
    const theirs = entry("theirs", "Update", { "f:data": { "f:z": {} } });
    const merged = mergeFieldManagers(
      [
        entry("old", "Update", { "f:data": { "f:a": {} } }),
        theirs,
        status,
        entry("new", "Update", { "f:data": { "f:b": {} } }),
        entry("new", "Apply", { "f:data": { "f:c": {} } }),
      ],
      managers,
    );
    expect(merged).toEqual([theirs, status, entry("new", "Apply", { "f:data": { "f:a": {}, "f:b": {}, "f:c": {} } })]);
  });

  test("turns the first old entry into an applied one where there is none", () => {
    expect(mergeFieldManagers([entry("old", "Update", { "f:data": {} })], managers)).toEqual([entry("new", "Apply", { "f:data": {} })]);
  });

  test("is nothing where there is nothing to take over", () => {
    const entries = [entry("new", "Apply", {}), entry("theirs", "Update", {})];
    expect(mergeFieldManagers(entries, managers)).toBe(entries);
  });

  test("is one patch, refused if the object has changed meanwhile", async () => {
    const server = await FakeApiServer.start();
    const client = server.client({ retries: 0 });
    const key = { namespace: "shop", name: "a" };
    const put = (managedFields: ManagedFieldsEntry[]) =>
      server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { ...key, managedFields } });
    put([entry("old", "Update", { "f:data": {} })]);
    await client.migrateFieldManager(configMaps, key, managers);
    expect(server.find(configMaps, key)?.metadata.managedFields).toEqual([entry("new", "Apply", { "f:data": {} })]);
    const before = server.requests.length;
    await client.migrateFieldManager(configMaps, key, managers);
    expect(server.requests.length).toBe(before + 1);
    put([entry("old", "Update", {})]);
    const edited = Promise.withResolvers<void>();
    server.inject({ match: ({ method }) => method === "PATCH", action: { do: "hold", until: edited.promise } });
    const late = client.migrateFieldManager(configMaps, key, managers).catch((error: unknown) => error);
    await eventually(() => server.requests.at(-1)?.method === "PATCH" && server.requests.length > before + 1);
    put([entry("old", "Update", { "f:metadata": {} })]);
    edited.resolve();
    expect(isConflict(await late)).toBe(true);
    await client.close();
    await server.stop();
  });
});
