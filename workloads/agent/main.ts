import { runPod } from "@rune/clients/pod/pod";
import { agentJob } from "@rune/crds/contracts/agent";
import { runAgent } from "./src/agent.ts";

process.exit(await runPod(agentJob, runAgent));
