/**
 * A FakeApiServer (a fake: an API server in memory, over real HTTP) in a separate process, so that it can be frozen.
 * Prints its URL, then serves until it is killed.
 */
import { FakeApiServer } from "../src/testing/index.ts";
import { widgets } from "./widgets.ts";

const server = await FakeApiServer.start({ resources: [widgets] });
process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
