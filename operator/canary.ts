import { createServer, type Server } from "node:http";
import { listen } from "./listening.ts";

/** What the isolation proof tries to reach: an agent must get this answer, a sandbox must not. */
export async function startCanary(port: number): Promise<Server> {
  return await listen(
    createServer((_request, response) => response.writeHead(200, { "content-type": "text/plain" }).end("canary\n")),
    port,
  );
}
