import { runPod } from "@rune/clients/pod";
import { evaluatorJob } from "@rune/crds/job-spec";
import { runEvaluator } from "./src/evaluator.ts";

process.exit(await runPod(evaluatorJob, runEvaluator));
