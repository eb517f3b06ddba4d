/** Something outside the cluster: each Folder has a directory on this machine, which is deleted before the object. */
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Manager, ready, resource, unchanged } from "kopf-ts";

const folders = resource({ group: "examples.kopf-ts.dev", version: "v1", kind: "Folder", plural: "folders" });
const finalizer = "examples.kopf-ts.dev/folder";
const manager = new Manager({ client: await Client.fromEnvironment(process.env) });

manager
  .controller("folder")
  .for(folders)
  .complete((folder) => {
    const path = join(tmpdir(), "kopf-ts-folders", folder.metadata.uid as string);
    // The finalizer is removed only after the effect has succeeded; a failure is retried.
    if (folder.metadata.deletionTimestamp) {
      return unchanged()
        .effect("remove", () => rm(path, { recursive: true, force: true }))
        .finalizer(finalizer, false);
    }
    return ready({ path })
      .finalizer(finalizer, true)
      .effect("make", async () => void (await mkdir(path, { recursive: true })));
  });

await manager.run();
