import { type DynamicObject, resource } from "../src/index.ts";

export const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });

export const widget = (namespace: string, name: string): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace, name },
  spec: { size: 1 },
});
