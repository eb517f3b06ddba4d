import { type ChildProcess, spawn } from "node:child_process";
import { access, glob, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A real server as a local process on loopback, with its own directory. */
export type Service = { url: string; directory: string; stop(): Promise<void>; start(): Promise<void> };

const modules = {
  "nats-server": "github.com/nats-io/nats-server/v2@v2.15.2",
  registry: "github.com/distribution/distribution/v3/cmd/registry@v3.1.2",
  crane: "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
  oras: "oras.land/oras/cmd/oras@v1.3.6",
};

/** CNCF Distribution with token authentication against these public keys; clients without a token are sent to `realm`. */
export async function startRegistry(jwks: string, realm = "http://127.0.0.1:1/token"): Promise<Service> {
  return await startDistribution(async (directory) => {
    await writeFile(join(directory, "jwks.json"), jwks);
    return { token: { realm, service: "rune-registry", issuer: "rune-operator", jwks: join(directory, "jwks.json") } };
  });
}

/** CNCF Distribution that asks for a user and a password of this file, as `htpasswd -B` writes it. */
export async function startPasswordRegistry(htpasswd: string): Promise<Service> {
  return await startDistribution(async (directory) => {
    await writeFile(join(directory, "htpasswd"), htpasswd);
    return { htpasswd: { realm: "registry", path: join(directory, "htpasswd") } };
  });
}

/** The registry of go-containerregistry (`pkg/registry`), which asks for nothing. */
export async function startPkgRegistry(): Promise<Service> {
  const binary = await program("crane");
  return await startService("crane", async (_, port) => ({
    command: binary,
    args: ["registry", "serve", "--address", `127.0.0.1:${port}`],
    url: `http://127.0.0.1:${port}`,
  }));
}

async function startDistribution(authOf: (directory: string) => Promise<object>): Promise<Service> {
  const binary = await program("registry");
  return await startService("registry", async (directory, port) => {
    const config = {
      version: 0.1,
      log: { level: "error", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(directory, "data") }, delete: { enabled: false } },
      http: { addr: `127.0.0.1:${port}` },
      auth: await authOf(directory),
    };
    await writeFile(join(directory, "config.json"), JSON.stringify(config));
    return { command: binary, args: ["serve", join(directory, "config.json")], url: `http://127.0.0.1:${port}` };
  });
}

/** How a command ended, and what it said. */
type Ended = { code: number | null; stdout: string; stderr: string };

/** crane, which people use, with a directory of its own for what it is logged in to. */
export async function craneIn(directory: string): Promise<(args: string[]) => Promise<Ended>> {
  const binary = await program("crane");
  await mkdir(directory, { recursive: true });
  const env = { PATH: "/usr/bin:/bin", HOME: directory, DOCKER_CONFIG: directory };
  return (args) =>
    new Promise((resolve, reject) => {
      const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env });
      const ended = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text) => (ended[name] += text));
      child.on("error", reject).on("close", (code) => resolve({ code, ...ended }));
    });
}

/** nats-server with JetStream and this `nats-auth.conf`. */
export async function startNats(authConfig: string): Promise<Service> {
  const binary = await program("nats-server");
  return await startService("nats-server", async (directory, port) => {
    await writeFile(join(directory, "nats-auth.conf"), authConfig);
    const config = [
      `listen: "127.0.0.1:${port}"`,
      "server_name: rune",
      "max_payload: 8MB",
      `jetstream { store_dir: "${join(directory, "data")}", max_file_store: 1GB, max_memory_store: 64MB }`,
      "include nats-auth.conf",
    ];
    await writeFile(join(directory, "nats.conf"), config.join("\n"));
    return { command: binary, args: ["-c", join(directory, "nats.conf")], url: `nats://127.0.0.1:${port}` };
  });
}

type Prepared = { command: string; args: string[]; url: string };

async function startService(name: string, prepare: (directory: string, port: number) => Promise<Prepared>): Promise<Service> {
  const directory = await mkdtemp(join(tmpdir(), `rune-${name}-`));
  const port = await freePort();
  const { command, args, url } = await prepare(directory, port);
  let child: ChildProcess | undefined;
  // The registry's secret is passed in the same way as in the chart.
  const env = { PATH: "/usr/bin:/bin", OTEL_TRACES_EXPORTER: "none", REGISTRY_HTTP_SECRET: "a secret of the test" };
  const start = async () => {
    child = spawn(command, args, { stdio: "ignore", cwd: directory, env });
    await reachable(url, name);
  };
  const stop = async () => {
    const ended = child && child.exitCode === null ? new Promise((resolve) => child?.once("exit", resolve)) : undefined;
    child?.kill("SIGKILL");
    await ended;
  };
  await start();
  return {
    url,
    directory,
    start,
    stop: async () => {
      await stop();
    },
  };
}

/** Stops a service and deletes its files. */
export async function removeService(service: Service): Promise<void> {
  await service.stop();
  await rm(service.directory, { recursive: true, force: true });
}

async function reachable(url: string, name: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (let attempt = 0; attempt < 100; attempt++) {
    const { connect } = await import("node:net");
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), hostname, () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
    await wait(100);
  }
  throw new Error(`${name} didn't listen at ${url} within 10 s`);
}

/** A TCP port of loopback on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (!address || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

/** The path of a binary in the cache, compiled by Go into it where it isn't there. */
export async function program(name: keyof typeof modules): Promise<string> {
  const cache = join(process.env.RUNE_CACHE ?? join(homedir(), ".cache/rune"), "programs");
  for await (const found of glob(join(cache, `${name}-*`, name))) if (!dirname(found).includes(".", cache.length)) return found;
  const directory = join(cache, `${name}-test`);
  await mkdir(directory, { recursive: true });
  const child = spawn("go", ["install", "-trimpath", modules[name]], {
    env: { ...process.env, GOBIN: directory, CGO_ENABLED: "0" },
    stdio: "inherit",
  });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`go install ${modules[name]} ended with ${code}`);
  await access(join(directory, name));
  return join(directory, name);
}
