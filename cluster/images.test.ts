import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { helmValues, imageNames } from "./api.ts";
import { build, selectFiles } from "./build.ts";
import { bases, debianBase, images } from "./images.ts";
import { settings } from "./settings.ts";

describe("the list of images", () => {
  it.each(Object.entries(images).filter(([, spec]) => spec.base))("%s stands on an image that exists", (_name, spec) => {
    expect([debianBase, ...Object.keys(images)]).toContain(spec.base);
  });

  it.each(Object.entries(images))("the Containerfile of %s takes its base as an argument with a public default", (_name, spec) => {
    const file = join(settings.root, spec.directory, "Containerfile");
    if (!existsSync(file)) return;
    expect(readFileSync(file, "utf8")).toMatch(/^ARG BASE=docker\.io\/\S+$/m);
  });

  it("loads what runs, not what others only stand on", () => {
    expect(imageNames).toEqual(expect.arrayContaining(["operator", "agent", "vllm", "nats"]));
    for (const base of bases) expect(imageNames).not.toContain(base);
  });
});

it("says which images there are when asked for another", () => {
  expect(() => build("operater")).toThrow(/no image "operater".*operator/);
});

it("takes into a context only what is named", () => {
  expect(selectFiles(["Containerfile", "dist/main.mjs", "dist2/x", "src/a.ts"], ["Containerfile", "dist/**"])).toEqual([
    "Containerfile",
    "dist/main.mjs",
  ]);
});

it("gives Helm the names that the chart uses, and no image that others only stand on", () => {
  const image = { repository: "r", tag: "t", digest: "d" };
  expect(helmValues({ "adapter-loader": image, nats: image, python: image })).toEqual({ images: { adapterLoader: image, nats: image } });
});
