import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const page = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
const [, commands = ""] = /```sh\n(kubectl wait .*?)```/s.exec(page) ?? [];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rune-waiting-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A kubectl whose object has ended with this condition: waiting for another one takes longer than the test. */
function fakeKubectl(ending: string): void {
  const program = join(folder, "kubectl");
  writeFileSync(program, `#!/bin/sh\ncase "$*" in *condition=${ending}*) ;; wait*) exec sleep 60 ;; *) echo "shows: $*" ;; esac\n`);
  chmodSync(program, 0o755);
}

test.each(["Succeeded", "Failed"])("the page's commands go on with an object that has ended with %s", (ending) => {
  fakeKubectl(ending);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  const told = execFileSync("bash", ["-c", commands], { env, encoding: "utf8", timeout: 20_000, stdio: ["ignore", "pipe", "ignore"] });
  expect(told).toBe("shows: get agentsession/first\n");
});
