import { expect, it } from "vitest";
import { destinationOf, digestsByName, isLoopback } from "./load.ts";
import { indexOf } from "./oci-archive.ts";

it("recognizes kind and k3d by their contexts", () => {
  expect(destinationOf("kind-dev", undefined)).toEqual({ kind: "kind", cluster: "dev" });
  expect(destinationOf("k3d-my-cluster", undefined)).toEqual({ kind: "k3d", cluster: "my-cluster" });
});

it("prefers the registry that the user names", () => {
  expect(destinationOf("kind-dev", "registry.example.org/rune/")).toEqual({ kind: "registry", registry: "registry.example.org/rune" });
});

it("says what to set when a cluster can't be given images", () => {
  expect(() => destinationOf("prod", undefined)).toThrow(/"prod".*RUNE_IMAGE_REGISTRY/);
});

it("reads containerd's list of images", () => {
  const listing = `REF TYPE DIGEST SIZE PLATFORMS LABELS
rune.local/nats:1 application/vnd.oci.image.manifest.v1+json sha256:aa 69.3 MiB linux/amd64 io.cri-containerd.image=managed
rune.local/nats@sha256:aa application/vnd.oci.image.manifest.v1+json sha256:aa 69.3 MiB linux/amd64 -
`;
  expect([...digestsByName(listing)]).toEqual([
    ["rune.local/nats:1", "sha256:aa"],
    ["rune.local/nats@sha256:aa", "sha256:aa"],
  ]);
});

it("names the image in an archive so that containerd, kind and k3d all read it", () => {
  expect(indexOf("rune.local/a:1", "ff", 3)).toMatchObject({
    manifests: [{ digest: "sha256:ff", size: 3, annotations: { "io.containerd.image.name": "rune.local/a:1" } }],
  });
});

it("asks every registry for its certificate but those on this machine", () => {
  expect(["localhost:5000/rune", "127.0.0.1:5000", "[::1]:5000"].every(isLoopback)).toBe(true);
  expect(["localhost.example.org/rune", "registry.example.org", "127.example.org"].some(isLoopback)).toBe(false);
});
