import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, rmSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kube } from "@rune/cluster/programs";
import { makeAuthority, makeKubeconfig } from "./certificates.ts";
import { pinned } from "./cores.ts";
import { Api } from "./http.ts";

export const operatorUser = "bench-operator";
const loadUser = "bench-load";

/** Only the operator's requests are logged. */
const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  omitManagedFields: true,
  rules: [{ level: "Metadata", users: [operatorUser] }, { level: "None" }],
};

/**
 * A real etcd and a real kube-apiserver, alone, on dedicated ports on loopback, with their state in a dedicated
 * folder. etcd does not fsync: the disk is not what is measured here.
 */
export class ApiServer {
  readonly kubeconfigs: { readonly operator: string; readonly load: string };
  readonly #binary: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #etcdPort: number;
  readonly #cores: string;
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  private constructor(
    parts: { binary: string; folder: string; ports: readonly [number, number]; cores: string },
    kubeconfigs: ApiServer["kubeconfigs"],
  ) {
    this.#binary = parts.binary;
    this.#folder = parts.folder;
    [this.#port, this.#etcdPort] = parts.ports;
    this.#cores = parts.cores;
    this.kubeconfigs = kubeconfigs;
  }

  static async start(onCores: string): Promise<ApiServer> {
    const { directory } = await kube();
    const folder = await mkdtemp(join(tmpdir(), "rune-bench-"));
    const [port, etcdPort, peerPort] = await freePorts(3);
    await makeAuthority(folder);
    const url = `https://127.0.0.1:${port}`;
    const kubeconfigs = { operator: await makeKubeconfig(folder, operatorUser, url), load: await makeKubeconfig(folder, loadUser, url) };
    await writeFile(join(folder, "audit-policy.json"), JSON.stringify(auditPolicy));
    const parts = { binary: join(directory, "kube"), folder, ports: [port, etcdPort] as [number, number], cores: onCores };
    const server = new ApiServer(parts, kubeconfigs);
    process.once("exit", server.#killAll);
    await server.#startEtcd(peerPort as number);
    await server.startServer();
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get serverPid(): number | undefined {
    return this.#server?.pid;
  }

  async #startEtcd(peerPort: number): Promise<void> {
    const url = `http://127.0.0.1:${this.#etcdPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    await mkdir(join(this.#folder, "etcd"), { mode: 0o700 });
    this.#etcd = this.#spawn("etcd", [
      ...["etcd", "--name=bench", `--data-dir=${join(this.#folder, "etcd")}`, "--log-level=error", "--unsafe-no-fsync"],
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`, `--listen-peer-urls=${peer}`],
      ...[`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=bench=${peer}`, "--quota-backend-bytes=4294967296"],
    ]);
    await until("etcd", async () => (await fetch(`${url}/health`)).ok, this.#etcd);
  }

  /** Starts kube-apiserver (again, after `stopServer`), on the same port and the same etcd. */
  async startServer(): Promise<void> {
    const at = (name: string) => join(this.#folder, name);
    this.#server = this.#spawn("kube-apiserver", [
      ...["kube-apiserver", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", `--secure-port=${this.#port}`],
      ...[`--etcd-servers=http://127.0.0.1:${this.#etcdPort}`, "--service-cluster-ip-range=10.98.0.0/24", "--authorization-mode=RBAC"],
      ...[`--client-ca-file=${at("ca.crt")}`, `--tls-cert-file=${at("server.crt")}`, `--tls-private-key-file=${at("server.key")}`],
      ...["--service-account-issuer=https://bench", `--service-account-key-file=${at("service-accounts.key")}`],
      ...[`--service-account-signing-key-file=${at("service-accounts.key")}`, "--endpoint-reconciler-type=none"],
      ...[`--audit-policy-file=${at("audit-policy.json")}`, `--audit-log-path=${at("audit.log")}`, "--audit-log-mode=blocking"],
      "--audit-log-maxsize=10000",
      ...["--profiling=false", "--disable-admission-plugins=ServiceAccount", "--shutdown-delay-duration=0s"],
    ]);
    const api = new Api(this.kubeconfigs.load);
    try {
      await until("kube-apiserver", async () => (await api.call("GET", "/readyz")) === "ok", this.#server);
    } finally {
      api.close();
    }
  }

  /** Kills kube-apiserver as a crash would. */
  async stopServer(): Promise<void> {
    await end(this.#server, "SIGKILL");
    this.#server = undefined;
  }

  /** A position in the audit log: what is written after it can be read with `auditSince`. */
  async auditPosition(): Promise<number> {
    return (await stat(join(this.#folder, "audit.log")).catch(() => undefined))?.size ?? 0;
  }

  async auditSince(position: number): Promise<string> {
    const file = await open(join(this.#folder, "audit.log"));
    try {
      const { size } = await file.stat();
      const { buffer } = await file.read(Buffer.alloc(size - position), 0, size - position, position);
      return buffer.toString("utf8");
    } finally {
      await file.close();
    }
  }

  async stop(): Promise<void> {
    await end(this.#server, "SIGKILL");
    await end(this.#etcd, "SIGKILL");
    process.removeListener("exit", this.#killAll);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #failure(name: string): Promise<string> {
    const log = await readFile(join(this.#folder, `${name}.log`), "utf8").catch(() => "");
    return log.trim().split("\n").slice(-5).join("\n");
  }

  readonly #killAll = () => {
    this.#server?.kill("SIGKILL");
    this.#etcd?.kill("SIGKILL");
    // They may still be writing for a moment.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };

  #spawn(name: string, args: string[]): ChildProcess {
    const [command, ...rest] = pinned(this.#cores, [this.#binary, ...args]);
    const child = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"] });
    const log = createWriteStream(join(this.#folder, `${name}.log`), { flags: "a" });
    child.stdout?.pipe(log);
    child.stderr?.pipe(log);
    child.once("exit", (code) => {
      if (code) void this.#failure(name).then((said) => process.stderr.write(`${name} ended with exit status ${code}:\n${said}\n`));
    });
    return child;
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

async function until(what: string, isSo: () => Promise<boolean>, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    if (await isSo().catch(() => false)) return;
    if (child.exitCode !== null) throw new Error(`${what} ended with exit status ${child.exitCode} before it was ready`);
    if (Date.now() > deadline) throw new Error(`${what} was not ready after two minutes`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ports that are free now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
