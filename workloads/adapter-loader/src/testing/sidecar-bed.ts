import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@rune/clients/clock";
import { LoaderClient } from "@rune/clients/loader/loader";
import { generateSigningKey } from "@rune/operator/credentials/keys";
import { loaderToken } from "@rune/operator/credentials/loader-token";
import { registryJWKS } from "@rune/operator/credentials/registry-token";
import type { JWK } from "jose";
import { pino } from "pino";
import { afterEach, beforeEach, expect } from "vitest";
import { type Sidecar, startSidecar } from "../sidecar.ts";
import { FakeEngine } from "./fake-engine.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { baseDigest, type TestArtifact, writeBase } from "./fixtures.ts";

export const slots = 2;

/** A loader between a fake engine and a fake registry, all new for each test of a file. */
export function sidecarBed(): SidecarBed {
  const bed = new SidecarBed();
  beforeEach(() => bed.start());
  afterEach(() => bed.stop());
  return bed;
}

class SidecarBed {
  engine!: FakeEngine;
  registry!: FakeRegistry;
  sidecar!: Sidecar;
  admin!: LoaderClient;
  /** The operator's, which signs the tokens of the admin port. */
  key!: JWK;
  directory!: string;
  /** Milliseconds by which the loader's clock is ahead. */
  ahead = 0;
  #urls!: { engine: string; registry: string };

  async start(): Promise<void> {
    this.ahead = 0;
    this.directory = await mkdtemp(join(tmpdir(), "rune-sidecar-"));
    await writeBase(join(this.directory, "base"));
    this.engine = new FakeEngine({ base: "tiny", maxRank: 8 });
    this.registry = new FakeRegistry();
    this.#urls = { engine: await this.engine.start(), registry: await this.registry.start() };
    this.key = await generateSigningKey();
    await this.startLoader();
    await this.ready();
  }

  async stop(): Promise<void> {
    await this.sidecar.stop();
    await this.engine.stop();
    await this.registry.stop();
  }

  async startLoader(): Promise<void> {
    const config = {
      base: { name: "tiny", path: join(this.directory, "base"), digest: baseDigest },
      engineURL: this.#urls.engine,
      registryURL: this.#urls.registry,
      adapterDirectory: join(this.directory, "adapters"),
      slots,
      maxRank: 8,
      adminKeys: registryJWKS(this.key) as { keys: Record<string, unknown>[] },
    };
    this.sidecar = await startSidecar(config, {
      podUID: "pod",
      log: pino({ level: "silent" }),
      ports: { inference: 0, admin: 0, metrics: 0 },
      tickMilliseconds: 10,
      clock: { ...systemClock, now: () => Date.now() + this.ahead },
      drainMilliseconds: 3_000,
    });
    const token = () => loaderToken(this.key, "pod", Date.now());
    this.admin = new LoaderClient({ address: `http://127.0.0.1:${this.sidecar.ports.admin}`, token });
  }

  readonly ready = () => expect.poll(() => this.sidecar.health.ready).toBe(true);

  readonly load = async (artifact: TestArtifact, request = artifact.request) => {
    this.registry.add(artifact);
    const state = await this.admin.load(artifact.name, request);
    return state.adapters.find((adapter) => adapter.name === artifact.name);
  };

  readonly ask = (model: unknown, extra: object = {}, path = "/v1/completions") =>
    fetch(`http://127.0.0.1:${this.sidecar.ports.inference}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, prompt: "p", ...extra }),
    });

  readonly inFlight = async () =>
    /rune_loader_in_flight (\d+)/.exec(await (await fetch(`http://127.0.0.1:${this.sidecar.ports.metrics}/metrics`)).text())?.[1];

  readonly wanting = (...names: string[]) => expect.poll(async () => (await this.admin.state()).wanted).toEqual(names);
}

export const textOf = async (answer: Response) => ((await answer.json()) as { choices: { text: string }[] }).choices[0]?.text;
