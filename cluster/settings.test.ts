import { expect, it } from "vitest";
import { settingsFrom } from "./settings.ts";

it("uses the embedded cluster unless KUBECONFIG names another", () => {
  expect(settingsFrom({}).externalKubeconfig).toBeUndefined();
  expect(settingsFrom({ KUBECONFIG: "/home/me/kind" }).externalKubeconfig).toBe("/home/me/kind");
  expect(settingsFrom({ KUBECONFIG: "/home/me/kind", RUNE_CLUSTER: "embedded" }).externalKubeconfig).toBeUndefined();
});

it("knows the embedded cluster's own kubeconfig when it is exported", () => {
  expect(settingsFrom({ KUBECONFIG: "/var/lib/rune-cluster/kubeconfig" }).externalKubeconfig).toBeUndefined();
});

it("keeps state and cache where it is told to", () => {
  expect(settingsFrom({ RUNE_CACHE: "/c", RUNE_CLUSTER_STATE: "/s" })).toMatchObject({ cache: "/c", state: "/s" });
});
