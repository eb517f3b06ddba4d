import { join } from "node:path";
import { settings } from "../cluster/settings.ts";

/** A program of the checkout's own node_modules. */
export const bin = (name: string) => join(settings.root, "node_modules/.bin", name);

/** Makes those programs find the checkout's own Node first, however this one was started. */
export const toolEnvironment = { PATH: `${bin("")}:${process.env.PATH}`, FORCE_COLOR: "0" };
