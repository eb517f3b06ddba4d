import { expect, it } from "vitest";
import { RegistryDenied } from "./errors.ts";
import { credentialFrom, credentialText } from "./login.ts";

const url = "https://registry.example.org:5000/team";
const config = (auths: object, more: object = {}) => JSON.stringify({ auths, ...more });
const auth = (text: string) => Buffer.from(text).toString("base64");

it("takes what isn't JSON for a token, and nothing for nobody's", () => {
  expect(credentialFrom("abc.def.ghi", url)).toEqual({ login: { kind: "Token", token: "abc.def.ghi" } });
  expect(credentialFrom("", url)).toEqual({ login: { kind: "Nobody" } });
});

it.each([
  ["registry.example.org:5000", { auth: auth("robot$rune:pa:ss") }, { kind: "Password", username: "robot$rune", password: "pa:ss" }],
  ["https://registry.example.org:5000/v1/", { username: "a", password: "b" }, { kind: "Password", username: "a", password: "b" }],
  ["Registry.Example.org:5000", { auth: auth("0:"), identitytoken: "refresh" }, { kind: "IdentityToken", identityToken: "refresh" }],
  ["registry.example.org:5000/team", { registrytoken: "bearer" }, { kind: "Token", token: "bearer" }],
  ["registry.example.org:5000", {}, { kind: "Nobody" }],
])("finds the registry under %s", (name, found, login) => {
  expect(credentialFrom(config({ "other.example.org": { auth: auth("x:y") }, [name]: found }), url)).toEqual({ login });
});

it.each([
  ["https://r.example", "r.example:443"],
  ["https://r.example:443/team", "r.example"],
  ["https://r.example:443", "https://r.example:443/v2/"],
  ["http://r.example:80", "r.example:80"],
])("takes the protocol's own port for none: %s, %s", (address, name) => {
  const text = config({ [name]: { auth: auth("a:b") } });
  expect(credentialFrom(text, address).login).toMatchObject({ username: "a" });
  expect(JSON.parse(credentialText(credentialFrom(text, address), address)).auths).toHaveProperty(["r.example"]);
  expect(() => credentialFrom(config({ "r.example:5000": {} }), address)).toThrow("for r.example:5000, not");
});

it.each([
  [["/other", "/team"], "/team"],
  [["/other", ""], ""],
  [["", "/team/"], "/team/"],
  [["/te", "/v2/"], "/v2/"],
  [["/other", "/another"], "/other"],
])("takes among %j of one host the entry with the nearest path, %s", (paths, right) => {
  const auths = Object.fromEntries(paths.map((path) => [`registry.example.org:5000${path}`, { username: path || "host", password: "p" }]));
  expect(credentialFrom(config(auths), url).login).toMatchObject({ username: right || "host" });
});

it("brings certificates, with a login or without", () => {
  expect(credentialFrom(config({}, { ca: "PEM" }), url)).toEqual({ login: { kind: "Nobody" }, ca: "PEM" });
});

it("says which registries a login is for, and no secret, where it is for others", () => {
  const others = () => credentialFrom(config({ "https://a.example.org/v2/": { auth: auth("x:hidden") }, b: {} }), url);
  expect(others).toThrow(RegistryDenied);
  expect(others).toThrow("the credentials are for a.example.org, b, not for the registry registry.example.org:5000");
});

it.each(["{", '{"auths":[]}', config({ "registry.example.org:5000": { auth: "bm9jb2xvbg==" } })])("refuses %s in words", (text) => {
  expect(() => credentialFrom(text, url)).toThrow("make the Secret again");
});

it("writes for a pod the one registry alone, so that it is read as it was", () => {
  const whole = config({ "other.example.org": { auth: auth("x:y") }, "registry.example.org:5000": { auth: auth("a:b") } }, { ca: "PEM" });
  const own = credentialText(credentialFrom(whole, url), url);
  expect(own).not.toContain("other.example.org");
  for (const text of [
    whole,
    config({ "registry.example.org:5000": { identitytoken: "i" } }),
    config({ "registry.example.org:5000": { registrytoken: "t" } }),
  ])
    expect(credentialFrom(credentialText(credentialFrom(text, url), url), url)).toEqual(credentialFrom(text, url));
});
