import type { Registry } from "@rune/clients/registry/registry";
import type { Services } from "@rune/controllers/shared/services";
import { jsonLogger } from "kopf-ts";
import { expect, it } from "vitest";
import { checkDeletion } from "./deletion-check.ts";

async function said(refuses: () => Promise<boolean | undefined>, credentialsSecret: string | undefined = "harbor"): Promise<string> {
  const log: string[] = [];
  const config = { operatorNamespace: "rune-system", registry: { url: "https://r", credentialsSecret } } as Services["config"];
  const registry = () => ({ refusesDeletion: refuses }) as unknown as Registry;
  await checkDeletion({ config, registry }, jsonLogger({ write: (line) => log.push(line) }));
  return log.join("");
}

it("warns of a login that may delete, and says where the registry doesn't tell", async () => {
  expect(await said(async () => false)).toContain("may delete; take that right from it");
  expect(await said(async () => true)).toBe("");
  expect(await said(async () => undefined)).toContain("doesn't tell whether the login may delete");
});

it("keeps nobody from starting while the registry is unavailable", async () => {
  expect(await said(() => Promise.reject(new Error("away")))).toContain("could not be asked");
});

it("asks nothing of a registry that takes signed tokens", async () => {
  expect(await said(() => Promise.reject(new Error("asked")), "")).toBe("");
});
