import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { settings } from "../cluster/settings.ts";
import { attempt } from "../cluster/shell.ts";
import { attacked } from "./isolation/cluster.ts";
import { faultsOf, tableOf, written } from "./isolation/table.ts";
import { layerings, layersOf } from "./isolation/testbed.ts";

/**
 * `npm run adversary`: hostile and honest programs against the sandbox on this machine, with the options that workloads/sandbox/adversary
 * knows; with `--cluster`, attacks against sandboxes in the cluster, each behind other layers, and a table of what each layer stops.
 */
const usage = `npm run adversary -- --cluster [options]

  --short                only the attacks that npm test runs
  --runtime-class NAME   also a sandbox with all layers in this RuntimeClass of the cluster
  --write                writes the result and its table into workloads/sandbox
`;

const sandbox = join(settings.root, "workloads/sandbox");
const show = (line: string) => process.stdout.write(`${line}\n`);

async function againstLayers(args: string[]): Promise<void> {
  const options = { short: { type: "boolean" }, write: { type: "boolean" }, "runtime-class": { type: "string" } } as const;
  const { values } = parseArgs({ args, options });
  const runtimeClass = values["runtime-class"];
  const all = runtimeClass ? [...layerings, layersOf(runtimeClass)] : layerings;
  const result = await attacked(all, { short: values.short ?? false, onLine: show });
  const [table, faults] = [tableOf(result), faultsOf(result)];
  console.log(`\n${table}\n`);
  for (const fault of faults) console.log(`FAILED ${fault}`);
  if (values.write && faults.length === 0) {
    const page = join(sandbox, "README.md");
    await writeFile(join(sandbox, "adversary/layers.json"), `${JSON.stringify(result, null, 2)}\n`);
    await writeFile(page, written(await readFile(page, "utf8"), table));
  }
  console.log(`${result.attacks.length * all.length - faults.length} passed, ${faults.length} failed`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

const args = process.argv.slice(2);
if (args.includes("--cluster")) {
  const rest = args.filter((each) => each !== "--cluster");
  if (rest.includes("--help")) show(usage);
  else await againstLayers(rest);
} else {
  const { code } = await attempt("python3", ["-B", "-m", "adversary", ...args], { cwd: sandbox, onLine: show });
  process.exitCode = code;
}
