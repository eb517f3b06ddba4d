import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/index.ts";
import { defaultCredentials, inClusterCredentials, kubeConfigCredentials, type staticCredentials } from "./credentials.ts";
import { Transport } from "./transport.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kopf-ts-"));
  const openssl = (...words: string[]) => execFileSync("openssl", words, { cwd: folder, stdio: "pipe" });
  openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=ca",
    "-days",
    "2",
  );
  for (const name of ["server", "admin"]) {
    writeFileSync(join(folder, `${name}.ext`), "subjectAltName=IP:127.0.0.1\n");
    openssl(
      "req",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      `/CN=${name}`,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-out",
      `${name}.crt`,
      "-days",
      "2",
      "-extfile",
      `${name}.ext`,
    );
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string) => join(folder, name);

/** A TLS server that returns the client's identity: by certificate and by token, where it accepts the token. */
async function withServer<T>(use: (url: string) => Promise<T>, accepts: (token?: string) => boolean = () => true): Promise<T> {
  const [cert, key, ca] = ["server.crt", "server.key", "ca.crt"].map((name) => readFileSync(file(name)));
  const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const certificate = (request.socket as TLSSocket).getPeerCertificate();
    response.statusCode = accepts(request.headers.authorization) ? 200 : 401;
    response.end(JSON.stringify({ certificate: certificate.subject?.CN ?? null, token: request.headers.authorization ?? null }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function ask(credentials: KubeConfig | ReturnType<typeof staticCredentials>): Promise<unknown> {
  const transport = new Transport({
    credentials: credentials instanceof KubeConfig ? kubeConfigCredentials(credentials) : credentials,
    retries: 0,
  });
  try {
    return await transport.json({ method: "GET", path: "/whoami" });
  } finally {
    await transport.close();
  }
}

function kubeConfig(server: string, user: object, cluster: object = { "certificate-authority": file("ca.crt") }): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server, ...cluster } }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "shop" } }],
      "current-context": "x",
    }),
  );
  return config;
}

describe("credentials", () => {
  test("a kubeconfig's client certificate is shown to the server, whose own is checked against its CA", async () => {
    await withServer(async (url) => {
      const user = { "client-certificate": file("admin.crt"), "client-key": file("admin.key") };
      expect(await ask(kubeConfig(url, user))).toEqual({ certificate: "admin", token: null });
      await expect(ask(kubeConfig(url, user, {}))).rejects.toThrow(/got no answer: .*(certificate|signed)/);
      expect(await ask(kubeConfig(url, user, { "insecure-skip-tls-verify": true }))).toMatchObject({ certificate: "admin" });
    });
  });

  test("a kubeconfig's token and exec plugin authorise", async () => {
    await withServer(async (url) => {
      expect(await ask(kubeConfig(url, { token: "secret" }))).toMatchObject({ token: "Bearer secret" });
      const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token: "from-plugin" } };
      const exec = { apiVersion: credential.apiVersion, command: "echo", args: [JSON.stringify(credential)] };
      expect(await ask(kubeConfig(url, { exec }))).toMatchObject({ token: "Bearer from-plugin" });
    });
  });

  test("an exec plugin whose token has no expiry is asked again once the server refuses the token, and not before", async () => {
    let accepted = "Bearer 1";
    const plugin = `n=$(($(cat "$0" 2>/dev/null || echo 0) + 1)); echo $n > "$0"
      echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$n'"}}'`;
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: ["-c", plugin, file("asked")] };
    await withServer(
      async (url) => {
        const clock = new VirtualClock();
        const transport = new Transport({ credentials: kubeConfigCredentials(kubeConfig(url, { exec })), retries: 0, clock });
        const get = () => transport.json({ method: "GET", path: "/whoami" });
        await get();
        await clock.advance(31_000);
        await get();
        accepted = "Bearer 2";
        await expect(get()).rejects.toMatchObject({ status: 401 });
        expect(await get()).toMatchObject({ token: accepted });
        await transport.close();
      },
      (token) => token === accepted,
    );
  });

  test("in a pod the service account's token is read again each time, without client-node", async () => {
    await withServer(async (url) => {
      const { hostname, port } = new URL(url);
      const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
      expect(await inClusterCredentials(environment, folder)).toBeNull();
      writeFileSync(file("namespace"), "shop\n");
      writeFileSync(file("token"), "one\n");
      const credentials = await inClusterCredentials(environment, folder);
      expect(credentials).toMatchObject({ server: url, namespace: "shop" });
      expect(await ask(credentials!)).toMatchObject({ token: "Bearer one" });
      writeFileSync(file("token"), "two\n");
      expect(await ask(credentials!)).toMatchObject({ token: "Bearer two" });
    });
    expect(await inClusterCredentials({}, folder)).toBeNull();
  });

  test("a kubeconfig's token file is read beside it, again each time, and goes before a token", async () => {
    await withServer(async (url) => {
      writeFileSync(file("user-token"), "one\n");
      const config = kubeConfig(url, { token: "stale" });
      const { users, ...rest } = JSON.parse(config.exportConfig()) as { users: { name: string; user: object }[] };
      const named = users.map(({ name, user }) => ({ name, user: { ...user, tokenFile: "user-token" } }));
      writeFileSync(file("kubeconfig"), JSON.stringify({ ...rest, users: named }));
      const credentials = await defaultCredentials({ KUBECONFIG: `${file("missing")}:${file("kubeconfig")}` });
      expect(credentials).toMatchObject({ server: url, namespace: "shop" });
      expect(await ask(credentials)).toMatchObject({ token: "Bearer one" });
      writeFileSync(file("user-token"), "two\n");
      expect(await ask(credentials)).toMatchObject({ token: "Bearer two" });
    });
  });

  test("several kubeconfigs are read as one; none at all is an error that names them", async () => {
    const [first, second] = [file("first"), file("second")];
    const user = { users: [{ name: "u", user: { token: "t" } }] };
    writeFileSync(first, JSON.stringify({ clusters: [{ name: "c", cluster: { server: "http://127.0.0.1:1" } }], ...user }));
    const contexts = [{ name: "x", context: { cluster: "c", user: "u", namespace: "both" } }];
    writeFileSync(second, JSON.stringify({ contexts, "current-context": "x" }));
    const credentials = await defaultCredentials({ KUBECONFIG: `${first}:${second}` });
    expect(credentials).toMatchObject({ server: "http://127.0.0.1:1", namespace: "both" });
    expect(await credentials.access()).toEqual({ headers: { authorization: "Bearer t" }, tls: {} });
    await expect(defaultCredentials({ KUBECONFIG: file("missing") })).rejects.toThrow(/^KUBECONFIG names .*missing, where no file is$/);
  });

  test("plain HTTP is spoken where the kubeconfig says so, as to kubectl proxy", async () => {
    const access = await kubeConfigCredentials(kubeConfig("http://127.0.0.1:8001", { token: "t" }, {})).access();
    expect(access).toEqual({ headers: { authorization: "Bearer t" }, tls: {} });
  });

  test("a kubeconfig without a cluster says what to do", () => {
    expect(() => kubeConfigCredentials(new KubeConfig())).toThrow("choose a context");
  });
});
