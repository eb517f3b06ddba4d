import { runPod } from "@rune/clients/pod/pod";
import { evaluatorJob } from "@rune/crds/contracts/evaluator";
import { runEvaluator } from "./src/evaluator.ts";

process.exit(await runPod(evaluatorJob, runEvaluator));
