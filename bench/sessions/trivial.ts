import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { kubectl } from "@rune/cluster/api";
import { settings } from "@rune/cluster/settings";
import { apiVersion } from "@rune/crds/words/group";
import { median } from "../operator/statistics.ts";

/**
 * `npm run bench:trivial-session`: the seconds from the creation of a session until kubectl reports its success, on
 * the cluster that the quickstart left. The model only completes a comment with at most four tokens, so this is what
 * everything else costs: credentials, policies, two pods, the proof of isolation, the log and the sealed trajectory.
 */
const { values } = parseArgs({
  options: {
    tries: { type: "string", default: "5" },
    namespace: { type: "string", default: "quickstart" },
    server: { type: "string", default: "coder" },
  },
});
const { namespace, server } = values;
const tries = Number(values.tries);
if (!Number.isInteger(tries) || tries < 1) throw new Error(`--tries accepts a whole number above zero, not ${values.tries}`);
/** Between two tries, so that the pods of one are deleted before the next begins. */
const pauseSeconds = 20;

const sessionNamed = (name: string) => ({
  apiVersion,
  kind: "AgentSession",
  metadata: { name, namespace },
  spec: {
    task: {
      id: "trivial",
      description: "End the comment.",
      entryPoint: "solve",
      stub: "def solve(x):\n    return x\n\n# This function",
      tests: "assert solve(1) == 1",
    },
    scope: { project: "bench" },
    serverRef: { name: server },
    adapter: { policy: "None" },
    attempts: 1,
    candidates: 1,
    sampling: { temperature: "0", maxTokens: 4, stop: ["\n"] },
    sandbox: { timeoutSeconds: 5 },
  },
});

async function secondsOf(name: string): Promise<number> {
  const input = JSON.stringify(sessionNamed(name));
  const from = performance.now();
  await kubectl(["create", "-f", "-"], { input });
  await kubectl(["wait", "agentsession", name, "-n", namespace, "--for=condition=Succeeded", "--timeout=120s"]);
  return (performance.now() - from) / 1000;
}

const run = Date.now().toString(36);
const seconds: number[] = [];
for (let index = 1; index <= tries; index += 1) {
  const name = `trivial-${run}-${index}`;
  try {
    seconds.push(await secondsOf(name));
  } finally {
    await kubectl(["delete", "agentsession", name, "-n", namespace, "--ignore-not-found"]);
  }
  console.log(`try ${index}: ${seconds.at(-1)?.toFixed(1)} s`);
  if (index < tries) await sleep(1000 * pauseSeconds);
}
await mkdir(join(settings.out, "bench"), { recursive: true });
await writeFile(join(settings.out, "bench/trivial-session.json"), `${JSON.stringify({ seconds, median: median(seconds) }, null, 2)}\n`);
console.log(`median ${median(seconds).toFixed(1)} s\nwritten: out/bench/trivial-session.json`);
