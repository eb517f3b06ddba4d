import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { testServer } from "../../clients/testing/http-server.ts";
import { listFiles, sha256 } from "../../cluster/content-key.ts";
import { run } from "../../cluster/shell.ts";

/** A gzipped tar archive of files of a repository. */
export interface Archive {
  readonly bytes: Buffer;
  /** `sha256:…` of its bytes */
  readonly digest: string;
}

const folders = ["examples/plan", "examples/10-minilang/world"];

/**
 * The part of a repository that the plan's Kustomizations read, with settings/data.env, which a repository for Flux
 * holds and git ignores here. The same files make the same bytes.
 */
export async function archiveOf(root: string): Promise<Archive> {
  const files: string[] = [];
  for (const folder of folders)
    for (const file of await listFiles(join(root, folder), ["*.ts", "__pycache__", "node_modules"])) files.push(`${folder}/${file}`);
  const directory = await mkdtemp(join(tmpdir(), "flux-"));
  try {
    const file = join(directory, "repository.tar");
    const alike = ["--format=ustar", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rw,go=r"];
    await run("tar", ["-C", root, ...alike, "-cf", file, "--", ...files]);
    const bytes = gzipSync(await readFile(file));
    return { bytes, digest: `sha256:${sha256(bytes)}` };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** An archive that can be fetched. */
export interface Served extends Archive {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves an archive on loopback, in the place of Flux's source-controller. */
export async function serve(archive: Archive): Promise<Served> {
  const { url, close } = await testServer((_, response) => void response.end(archive.bytes));
  return { ...archive, url: `${url}/repository.tar.gz`, close };
}

/**
 * The status of a GitRepository with this archive. The test writes it in source-controller's place, which would need a
 * git server; `git.example.org` in the manifests is never asked. The revision says so instead of naming a commit.
 */
export function statusOf({ bytes, digest, url }: Omit<Served, "close">, now: Date) {
  const revision = `written-by-the-test@${digest}`;
  return {
    observedGeneration: 1,
    artifact: { url, path: "repository.tar.gz", digest, revision, size: bytes.length, lastUpdateTime: now.toISOString() },
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "Succeeded",
        message: `the test serves ${revision}`,
        observedGeneration: 1,
        lastTransitionTime: now.toISOString(),
      },
    ],
  };
}
