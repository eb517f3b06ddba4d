import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type TestServer, testServer } from "@rune/clients/testing/http-server";
import { port } from "@rune/crds/words/ports";
import { afterEach, expect, it } from "vitest";
import { config, modelServer } from "../testing/objects.ts";
import { loaderDocument, statefulSet } from "./manifests.ts";

let server: TestServer;
afterEach(() => server.close());

/** Runs the engine's preStop hook as the kubelet does, without its pauses, against one server as loader and engine. */
async function endEngine(): Promise<void> {
  const set = statefulSet(modelServer(), config, loaderDocument(modelServer(), config, { keys: [] }));
  const [program = "", ...args] = set.spec.template.spec.containers[0]?.lifecycle?.preStop?.exec?.command ?? [];
  const { port: here } = new URL(server.url);
  const script = (args.at(-1) ?? "")
    .replaceAll(/127\.0\.0\.1:(\d+)/g, (whole, named) =>
      [`${port.metrics}`, `${port.engine}`].includes(named) ? `127.0.0.1:${here}` : whole,
    )
    .replaceAll(/time\.sleep\(\d+\)/g, "time.sleep(0.01)");
  await promisify(execFile)(program, [...args.slice(0, -1), script]);
}

it("an engine ends once its loader takes no more requests and it has answered what it was asked", async () => {
  const running = [2, 1, 0];
  server = await testServer(({ path }, response) => {
    response.end(path === "/drain" ? "0 requests are left" : `vllm:num_requests_running{engine="0"} ${running.shift()}.0\n`);
  });
  await endEngine();
  expect(server.requests.map(({ path }) => path)).toEqual(["/drain", "/metrics", "/metrics", "/metrics"]);
});

it("an engine whose loader is gone ends all the same", async () => {
  server = await testServer(({ path }, response) => {
    if (path === "/drain") response.socket?.resetAndDestroy();
    else response.end('vllm:num_requests_running{engine="0"} 0.0\n');
  });
  await endEngine();
  expect(server.requests.map(({ path }) => path)).toEqual(["/drain", "/metrics"]);
});
