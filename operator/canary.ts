import { createServer, type Server } from "node:http";

/** What the isolation proof tries to reach: an agent must get this answer, a sandbox must not. */
export async function startCanary(port: number): Promise<Server> {
  const server = createServer((_request, response) => response.writeHead(200, { "content-type": "text/plain" }).end("canary\n"));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, () => resolve());
  });
  return server;
}

export async function stopCanary(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
