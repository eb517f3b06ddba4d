import { runPod } from "@rune/clients/pod/pod";
import { terminationLog } from "@rune/crds/contracts/pod";
import { stageJob, stagePath } from "@rune/crds/contracts/stage";
import { stage } from "./src/base-model/stage.ts";
import { readEnvironment } from "./src/environment.ts";
import { runSidecar } from "./src/run-sidecar.ts";

const environment = readEnvironment();
const stagePaths = { spec: stagePath, terminationLog: terminationLog.path };

if (process.argv[2] === "stage") {
  const hub = { url: environment.HF_ENDPOINT.replace(/\/+$/, ""), ...(environment.HF_TOKEN ? { token: environment.HF_TOKEN } : {}) };
  process.exit(await runPod(stageJob, (job, signal) => stage(job, hub, signal), stagePaths));
}
process.exit(await runSidecar(environment));
