import { createServer, type Server } from "node:http";
import { listen } from "./listening.ts";

/** The HTTP server that the isolation proof tries: it must be reachable from an agent but not from a sandbox. */
export async function startCanary(port: number): Promise<Server> {
  return await listen(
    createServer((_request, response) => response.writeHead(200, { "content-type": "text/plain" }).end("canary\n")),
    port,
  );
}
