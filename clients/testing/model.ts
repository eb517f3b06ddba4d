import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { z } from "zod";

const question = z.object({ model: z.string(), n: z.number(), messages: z.array(z.object({ role: z.string(), content: z.string() })) });
export type Asked = z.infer<typeof question>;
export type ScriptedModel = { url: string; address: string; asked: Asked[]; stop(): Promise<void> };

/** A chat completions server on loopback with scripted responses: no model, but real HTTP. */
export async function startScriptedModel(answer: (asked: Asked) => string[]): Promise<ScriptedModel> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const body = question.parse(await json(request));
    asked.push(body);
    const choices = answer(body).map((content, index) => ({ index, message: { content }, finish_reason: "stop" }));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ choices, usage: { prompt_tokens: 10, completion_tokens: 5 } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const listening = server.address();
  if (!listening || typeof listening === "string") throw new Error("the scripted model got no port");
  const address = `127.0.0.1:${listening.port}`;
  return { url: `http://${address}/v1`, address, asked, stop: async () => void (await new Promise((resolve) => server.close(resolve))) };
}
