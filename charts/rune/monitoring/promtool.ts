import { join } from "node:path";
import { cached } from "@rune/cluster/cache";
import { keyOf } from "@rune/cluster/content-key";
import { progress } from "@rune/cluster/progress";
import { run } from "@rune/cluster/shell";

const command = "github.com/prometheus/prometheus/cmd/promtool";
const version = "v0.316.0";
/** Service discovery is most of Prometheus, and no rule needs it. */
const flags = ["-trimpath", "-tags", "remove_all_sd", "-ldflags", "-s -w"];

/** Prometheus' own tester of rules, compiled from its Go module the first time. */
export async function promtoolPath(): Promise<string> {
  const go = (await run("go", ["env", "GOVERSION"])).trim();
  const directory = await cached("programs", `promtool-${keyOf({ version, flags: flags.join(" "), go }).slice(0, 16)}`, (out) =>
    progress.step("compiling promtool (4 minutes the first time)", async () => {
      await run("go", ["install", "-p", "2", ...flags, `${command}@${version}`], { env: { CGO_ENABLED: "0", GOBIN: out } });
    }),
  );
  return join(directory, "promtool");
}
