import { runPod } from "@rune/clients/pod/pod";
import { terminationLog } from "@rune/crds/contracts/pod";
import { stageJob, stagePath } from "@rune/crds/contracts/stage";
import { stage } from "./src/base-model/stage.ts";
import { readEnvironment } from "./src/environment.ts";
import { runSidecar } from "./src/run-sidecar.ts";

const environment = readEnvironment();
const stagePaths = { spec: stagePath, terminationLog: terminationLog.path };

if (process.argv[2] === "stage") {
  const { HF_ENDPOINT, HF_TOKEN: token, HTTPS_PROXY: url, NO_PROXY: except } = environment;
  const hub = { url: HF_ENDPOINT.replace(/\/+$/, ""), ...(token && { token }), ...(url && { proxy: { url, except } }) };
  process.exit(await runPod(stageJob, (job, signal) => stage(job, hub, signal), stagePaths));
}
process.exit(await runSidecar(environment));
