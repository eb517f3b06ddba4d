import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inTurn, json, type TestServer, testServer } from "@rune/clients/testing/http-server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sandboxOf } from "./sandbox.ts";

const probeTargets = { canary: "c:1", dns: "d:1", modelServer: "m:1", apiServer: "a:1", node: "n:1" };
let directory: string;
let server: TestServer;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sandbox-"));
});
afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

test("a program and tests are sent with the mounted token, and what comes back is the verdict alone", async () => {
  const verdict = { passed: true, outcome: "Passed", error: "", durationSeconds: 0.1 };
  server = await testServer(inTurn(json(200, { ...verdict, stdout: "o", stderr: "" }), json(200, { usable: false, error: "why" })));
  const tokenFile = join(directory, "token");
  await writeFile(tokenFile, "secret\n");
  const job = { sandbox: { url: server.url, tokenFile, timeoutSeconds: 5, memoryMiB: 128, probeTargets }, epoch: 2 };
  const sandbox = await sandboxOf(job, new AbortController().signal);
  const task = { id: "t", description: "d", entryPoint: "solve", tests: "assert solve()" };
  const request = { id: "u/1", epoch: 2, program: "p", entryPoint: "solve", tests: "t", timeoutSeconds: 5, memoryMiB: 128 };
  expect(await sandbox.execute(request)).toEqual(verdict);
  expect(await sandbox.tryTests(task)).toBe("why");
  expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer secret", "Bearer secret"]);
  expect(JSON.parse(server.requests[1]?.body.toString() ?? "")).toEqual({ entryPoint: task.entryPoint, tests: task.tests });
});
