import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type TestServer, testServer } from "@rune/clients/testing/http-server";
import { port } from "@rune/crds/words/ports";
import { afterEach, expect, it } from "vitest";
import { config, modelServer } from "../testing/objects.ts";
import { loaderDocument, statefulSet } from "./manifests.ts";

let server: TestServer | undefined;
let directory: string | undefined;
afterEach(async () => {
  await server?.close();
  if (directory) await rm(directory, { recursive: true });
  [server, directory] = [undefined, undefined];
});

const container = () =>
  statefulSet(modelServer(), config, loaderDocument(modelServer(), config, { keys: [] })).spec.template.spec.containers[0];

/** Runs the engine's preStop hook as the kubelet does, without its pauses, against one server as loader and engine. */
async function endEngine({ url }: TestServer): Promise<void> {
  const [program = "", ...args] = container()?.lifecycle?.preStop?.exec?.command ?? [];
  const { port: here } = new URL(url);
  const script = (args.at(-1) ?? "")
    .replaceAll(/127\.0\.0\.1:(\d+)/g, (whole, named) =>
      [`${port.metrics}`, `${port.engine}`].includes(named) ? `127.0.0.1:${here}` : whole,
    )
    .replaceAll(/time\.sleep\(\d+\)/g, "time.sleep(0.01)");
  await promisify(execFile)(program, [...args.slice(0, -1), script]);
}

it("an engine ends once its loader has waited for the open requests", async () => {
  server = await testServer((_, response) => void response.end("0 requests are left"));
  await endEngine(server);
  expect(server.requests.map(({ path }) => path)).toEqual(["/drain"]);
});

it("an engine that hangs isn't waited for, because its loader says that it finishes nothing", async () => {
  server = await testServer(({ path }, response) => {
    response.end(path === "/drain" ? "2 requests are left" : 'vllm:num_requests_running{engine="0"} 2.0\n');
  });
  await endEngine(server);
  expect(server.requests.map(({ path }) => path)).toEqual(["/drain"]);
});

it("an engine whose loader is gone ends once it has answered what it was asked", async () => {
  const running = [2, 1, 0];
  server = await testServer(({ path }, response) => {
    if (path === "/drain") response.socket?.resetAndDestroy();
    else response.end(`vllm:num_requests_running{engine="0"} ${running.shift()}.0\n`);
  });
  await endEngine(server);
  expect(server.requests.map(({ path }) => path)).toEqual(["/drain", "/metrics", "/metrics", "/metrics"]);
});

/** Starts the engine's container with another program in place of vLLM, and with pauses a twentieth as long. */
async function startEngine(vllm: readonly string[]) {
  directory = await mkdtemp(join(tmpdir(), "engine-"));
  await writeFile(join(directory, "vllm"), ["#!/bin/sh", ...vllm].join("\n"), { mode: 0o755 });
  const [program = "", option = "", launch = "", ...rest] = container()?.command ?? [];
  const script = launch.replaceAll(/sleep (\d+)/g, (_, seconds) => `sleep ${Number(seconds) / 20}`);
  const shell = spawn(program, [option, script, ...rest], { env: { PATH: `${directory}:${process.env.PATH}` } });
  const lines = createInterface({ input: shell.stdout });
  await once(lines, "line");
  return shell;
}

it("SIGTERM is repeated to an engine that drops the first one, as vLLM does while its core starts", async () => {
  const shell = await startEngine(["trap 'trap \"exit 7\" TERM' TERM", "echo loading", "while :; do sleep 0.02; done"]);
  shell.kill("SIGTERM");
  expect(await once(shell, "exit")).toEqual([7, null]);
});

it("an engine that drops every SIGTERM is killed", async () => {
  const shell = await startEngine(["trap '' TERM", "echo loading", "while :; do sleep 0.02; done"]);
  shell.kill("SIGTERM");
  expect(await once(shell, "exit")).toEqual([128 + 9, null]);
});
