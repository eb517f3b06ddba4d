import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { contractSchema, contracts } from "./contracts.ts";

const validatorOf = (name: string) => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false });
  addFormats.default(ajv);
  return ajv.compile(contractSchema(contracts[name] as NonNullable<(typeof contracts)[string]>));
};

test.each(Object.keys(contracts))("%s is a JSON Schema that a strict validator accepts", (name) => {
  expect(() => validatorOf(name)).not.toThrow();
});

test("a document may hold more than its reader knows, and never less", () => {
  const valid = validatorOf("failure");
  expect(valid({ failure: { reason: "OutOfMemory", message: "raise spec.resources.memory", hint: "new" }, more: 1 })).toBe(true);
  expect(valid({ failure: { reason: "OutOfMemory" } })).toBe(false);
});

test("a reader may rely on defaults being filled in", () => {
  const { properties } = contractSchema(contracts["trainer-job"] as NonNullable<(typeof contracts)[string]>) as {
    properties: { sft: { required: string[] } };
  };
  expect(properties.sft.required).toContain("rank");
});
