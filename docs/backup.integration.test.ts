import { execFile, spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { mediaType } from "@rune/crds/contracts/artifact";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256 } from "../clients/registry/digest.ts";
import { Registry } from "../clients/registry/registry.ts";
import { removeService, type Service, startRegistry } from "../clients/testing/services.ts";
import { generateKeys } from "../operator/credentials/keys.ts";
import { registryToken } from "../operator/credentials/registry-token.ts";

const page = readFileSync(join(import.meta.dirname, "backup.md"), "utf8");
const repository = "rune/team/adapters";
const minutes = 60_000;

/** The shell's words after `--` of the one command of the page that contains this text. */
function commandOf(text: string): string[] {
  const line = page.split("\n").find((each) => each.startsWith("kubectl exec") && each.includes(text)) ?? "";
  const [, inside = ""] = / -- (.*?)(?: [<>] \S+)?$/.exec(line) ?? [];
  return inside.split(" ");
}

/** The exit code of a command whose input or output is a file, as a shell's `<` and `>` make it. */
async function exitOf(program: string, words: string[], { from, to }: { from?: string; to?: string }): Promise<number | null> {
  const file = await open(from ?? to ?? "/dev/null", from ? "r" : "w");
  try {
    const child = spawn(program, words, { stdio: from ? [file.fd, "ignore", "ignore"] : ["ignore", file.fd, "ignore"] });
    return await new Promise((resolve, reject) => child.once("error", reject).once("exit", resolve));
  } finally {
    await file.close();
  }
}

describe("the commands of backup.md", () => {
  let keys: Record<string, string>;
  let source: Service;
  let target: Service;
  let directory: string;

  const clientOf = async (service: Service) =>
    new Registry({
      url: service.url,
      token: await registryToken(JSON.parse(keys["registry.jwk"] ?? ""), {
        subject: "test",
        seconds: 600,
        access: [{ repository, actions: ["pull", "push"] }],
      }),
    });
  /** The command as it would run in the registry's pod, whose volume is a directory here. */
  const inPodOf = (service: Service, command: string[]) =>
    command.map((word) => (word === "/var/lib/registry" ? join(service.directory, "data") : word));
  const push = async (registry: Registry, number: number) =>
    await registry.push({
      repository,
      artifactType: mediaType.adapter,
      config: { number },
      configMediaType: mediaType.adapter,
      files: [{ title: "adapter_model.safetensors", mediaType: mediaType.adapterFile, bytes: Buffer.alloc(100_000, `${number} `) }],
      tag: `run-${number}`,
    });

  beforeAll(async () => {
    keys = await generateKeys();
    source = await startRegistry(keys["registry.jwks"] ?? "");
    target = await startRegistry(keys["registry.jwks"] ?? "");
    directory = await mkdtemp(join(tmpdir(), "rune-backup-"));
  }, 10 * minutes);
  afterAll(async () => {
    await Promise.all([removeService(source), removeService(target)]);
    await rm(directory, { recursive: true, force: true });
  });

  test("copy a registry that is written to, and restore every artifact of the copy whole", { timeout: 3 * minutes }, async () => {
    const archive = join(directory, "registry.tar");
    const writer = await clientOf(source);
    const before = await Promise.all(Array.from({ length: 20 }, (_, number) => push(writer, number)));
    let isCopying = true;
    let meanwhile = 0;
    const pushing = (async () => {
      for (; isCopying; meanwhile++) await push(writer, 1000 + meanwhile);
    })();

    const [program = "", ...words] = inPodOf(source, commandOf("-cf -"));
    const code = await exitOf(program, words, { to: archive });
    isCopying = false;
    await pushing;
    // 1: a directory changed meanwhile, as the page says.
    expect([0, 1]).toContain(code);
    expect(meanwhile).toBeGreaterThan(0);

    await mkdir(join(target.directory, "data"), { recursive: true });
    const [extract = "", ...rest] = inPodOf(target, commandOf("-xf -"));
    expect(await exitOf(extract, rest, { from: archive })).toBe(0);
    await target.stop();
    await target.start();

    const reader = await clientOf(target);
    const links = globSync(join(target.directory, "data/docker/registry/v2/repositories/**/_manifests/revisions/sha256/*/link"));
    const digests = links.map((link) => readFileSync(link, "utf8"));
    expect(digests).toEqual(expect.arrayContaining(before.map(({ digest }) => digest)));
    for (const digest of digests) {
      const { manifest } = await reader.manifest(repository, digest);
      const [layer] = manifest.layers;
      if (!layer) throw new Error(`${digest} has no file`);
      const copy = join(directory, "copy");
      await reader.download(repository, layer, copy);
      expect(sha256(readFileSync(copy))).toBe(layer.digest);
    }
    expect(await reader.resolveTag(repository, "run-3")).toBe(before[3]?.digest);
  });

  test("copy MLflow's database while it is open, and restore it into one that is", async () => {
    const [save = "", restore = ""] = [...page.matchAll(/python3 -c '(.*?)'/g)].map(([, code = ""]) => code);
    const python = async (...lines: string[]) =>
      (await promisify(execFile)("python3", ["-c", ["import sqlite3", ...lines].join("\n")])).stdout.trim();
    const inPlace = (code: string, database: string) =>
      code.replace("/data/mlflow.db", join(directory, database)).replace("/data/backup.db", join(directory, "copy.db"));
    const opened = (name: string, database: string) => `${name} = sqlite3.connect("${join(directory, database)}")`;
    const withRun = (id: number) => ["server.execute('create table runs (id)')", `server.execute('insert into runs values (${id})')`];
    await python(opened("server", "before.db"), ...withRun(7), "server.commit()", inPlace(save, "before.db"));
    const after = [opened("server", "after.db"), ...withRun(8), "server.commit()", inPlace(restore, "after.db")];
    expect(await python(...after, "print(server.execute('select id from runs').fetchall())")).toBe("[(7,)]");
  });
});
