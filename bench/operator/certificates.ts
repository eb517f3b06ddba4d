import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@rune/cluster/shell";

const openssl = (args: string[]) => run("openssl", args);

async function key(file: string): Promise<void> {
  await openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file]);
}

/** A certificate authority, the server's certificate, and keys for service accounts, all in one folder. */
export async function makeAuthority(folder: string): Promise<void> {
  const at = (name: string) => join(folder, name);
  await key(at("ca.key"));
  await openssl([
    ...["req", "-x509", "-new", "-key", at("ca.key"), "-subj", "/CN=rune-bench", "-days", "7", "-out", at("ca.crt")],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"],
  ]);
  await sign(folder, "server", "/CN=kube-apiserver", "IP:127.0.0.1,DNS:localhost,IP:10.98.0.1");
  await openssl(["genrsa", "-out", at("service-accounts.key"), "2048"]);
}

async function sign(folder: string, name: string, subject: string, alternatives?: string): Promise<void> {
  const at = (extension: string) => join(folder, `${name}.${extension}`);
  await key(at("key"));
  await openssl(["req", "-new", "-key", at("key"), "-subj", subject, "-out", at("csr")]);
  const extensions = ["keyUsage=digitalSignature,keyEncipherment", "extendedKeyUsage=serverAuth,clientAuth"];
  if (alternatives) extensions.push(`subjectAltName=${alternatives}`);
  await writeFile(at("ext"), `${extensions.join("\n")}\n`);
  await openssl([
    ...["x509", "-req", "-in", at("csr"), "-CA", join(folder, "ca.crt"), "-CAkey", join(folder, "ca.key"), "-CAcreateserial"],
    ...["-days", "7", "-extfile", at("ext"), "-out", at("crt")],
  ]);
}

/** A kubeconfig, written as JSON, for a user of that name with all rights; returns its path. */
export async function makeKubeconfig(folder: string, user: string, server: string): Promise<string> {
  await sign(folder, user, `/O=system:masters/CN=${user}`);
  const data = async (name: string) => (await readFile(join(folder, name))).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "bench", cluster: { server, "certificate-authority-data": await data("ca.crt") } }],
    users: [{ name: user, user: { "client-certificate-data": await data(`${user}.crt`), "client-key-data": await data(`${user}.key`) } }],
    contexts: [{ name: "bench", context: { cluster: "bench", user } }],
    "current-context": "bench",
  };
  const path = join(folder, `${user}.kubeconfig`);
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
