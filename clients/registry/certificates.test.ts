import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { testClock } from "../testing/http-server.ts";
import { sha256 } from "./digest.ts";
import { Registry, RegistryUnavailable } from "./registry.ts";

const bytes = Buffer.from("the weights of an adapter");
let directory: string;
let server: Server;
let url: string;
let ca: string;

/** A registry whose certificate no public authority signed. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "rune-certificates-"));
  const files = ["-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", ...files], {
    cwd: directory,
    stdio: "ignore",
  });
  ca = readFileSync(join(directory, "ca.pem"), "utf8");
  server = createServer({ cert: ca, key: readFileSync(join(directory, "key.pem")) }, (_, response) => response.end(bytes));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

const blob = (text: string) => new Registry({ url, token: text, clock: testClock() }).blob("a", sha256(bytes), { maxBytes: 100 });

it("trusts a registry whose certificate a private authority signed, with that authority's certificates", async () => {
  expect(await blob(JSON.stringify({ auths: {}, ca }))).toEqual(bytes);
});

it("trusts it with nothing else", async () => {
  await expect(blob("token")).rejects.toThrow(/self-signed certificate/);
  await expect(blob("token")).rejects.toThrow(RegistryUnavailable);
});
