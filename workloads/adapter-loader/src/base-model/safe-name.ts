import { PodFailure } from "@rune/clients/pod/pod";
import { exit } from "@rune/crds/contracts/pod";

/** The name of a model's file, if it stays inside the model's directory. */
export function safeName(name: string): string {
  const parts = name.split("/");
  const bad = name.length > 200 || name.includes("\\") || parts.some((part) => part === "" || part.startsWith("."));
  if (bad) throw new PodFailure(exit.badInput, "NotAModel", `${JSON.stringify(name)} can't be the name of a model's file`);
  return name;
}
