import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { attempt } from "../../cluster/shell.ts";
import { commandsOf, PageShell } from "./page-commands.ts";

test("a page's commands are its blocks of shell, by section and in order", () => {
  const page = "# Page\n```sh\nbefore\n```\n## One\nWords.\n```sh\na\nb\n```\n```yaml\nc: d\n```\n## None\n## Two\n```sh\ne\n```\n";
  expect([...commandsOf(page)]).toEqual([
    ["One", ["a\nb\n"]],
    ["Two", ["e\n"]],
  ]);
});

const user = process.getuid?.() === 0 ? [] : ["--map-root-user"];
const canMount = (await attempt("unshare", [...user, "--mount", "true"]).catch(() => ({ code: 1 }))).code === 0;

describe.skipIf(!canMount)("somebody's shell", () => {
  let directory: string;
  let shell: PageShell;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "rune-shell-"));
    const programs = { greet: "echo hello" };
    shell = await PageShell.open({ directory, environment: { COLOUR: "red" }, programs });
  });
  afterAll(async () => {
    await shell[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test("keeps variables and its directory from block to block", async () => {
    await shell.type("mkdir below\ncd below\ntext='two\nlines \"and\" $more'\n");
    expect(await shell.type('greet "$text" $COLOUR\npwd')).toEqual({
      code: 0,
      stdout: `hello two\nlines "and" $more red\n${join(directory, "below")}\n`,
      stderr: "",
      failed: "",
    });
    await shell.type("cd ..");
  });

  test("ends a block at the first command that fails, and names it", async () => {
    const ended = await shell.type("echo first\nls nowhere | cat\necho never\n");
    expect(ended).toMatchObject({ code: 2, stdout: "first\n", stderr: expect.stringContaining("nowhere") });
    expect(ended.failed).toBe("ls nowhere | cat");
    expect((await shell.type("true\ndigest=$(false)\n")).failed).toBe("digest=$(false)");
  });

  test("ends at a variable that was never set", async () => {
    expect(await shell.type("echo $nobody")).toMatchObject({ code: 1, stderr: expect.stringContaining("nobody") });
  });

  test("leaves what runs in the background alone, until it is closed", async () => {
    await shell.type("while true; do sleep 0.05 || sleep 1; done > log &\necho $! > process\n");
    const child = Number(await readFile(join(directory, "process"), "utf8"));
    expect((await shell.type("kill -0 $(cat process)")).code).toBe(0);
    await shell[Symbol.asyncDispose]();
    await expect.poll(() => isAlive(child)).toBe(false);
  });
});

function isAlive(child: number): boolean {
  try {
    process.kill(child, 0);
    return true;
  } catch {
    return false;
  }
}
