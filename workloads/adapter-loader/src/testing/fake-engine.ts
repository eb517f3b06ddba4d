import { readFile, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { readHeader, scan } from "../safetensors.ts";

/**
 * Behaves as vLLM 0.32 was observed to: what it refuses, with which status and text; that it loads NaN and wrong
 * shapes; that one answer with NaN corrupts all later ones until a restart; that with two ranks one refused load
 * crashes it.
 */
export class FakeEngine {
  readonly base: string;
  readonly maxRank: number;
  /** with two pipeline ranks one refused load crashes the engine */
  ranks = 1;
  errorShape: "nested" | "flat" = "nested";
  startTimeInMetrics = true;
  /** every load is refused */
  refusing = false;
  /** every load ends the engine, without an answer */
  endingAtLoads = false;
  /** the adapters' answers, by name */
  answers: Record<string, string> = {};
  baseAnswer = " the knife";
  /** its core has exited, and its API is about to: everything returns 500, `/health` 503 */
  ending = false;
  loads: string[] = [];
  unloads: string[] = [];
  completions: string[] = [];
  #gate: Promise<void> = Promise.resolve();
  #adapters = new Map<string, { root: string; poison: boolean }>();
  #poisoned = false;
  #started = 1_800_000_000;
  #server: Server | undefined;
  #port = 0;

  constructor(options: { base: string; maxRank: number }) {
    this.base = options.base;
    this.maxRank = options.maxRank;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get held(): string[] {
    return [...this.#adapters.keys()];
  }

  async start(): Promise<string> {
    this.#started += 1.5;
    this.#adapters.clear();
    this.#poisoned = false;
    this.ending = false;
    const server = createServer((request, response) => void this.#answer(request, response));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    return this.url;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Simulates a load by another client. */
  smuggle(name: string, root: string): void {
    this.#adapters.set(name, { root, poison: false });
  }

  /** Holds all answers back until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  /** One answer of this adapter corrupts all later ones. */
  spoilAfter(name: string): void {
    this.#adapters.set(name, { root: this.#adapters.get(name)?.root ?? "", poison: true });
  }

  /** Simulates a restart that happened between two requests. */
  forget(name: string): void {
    this.#adapters.delete(name);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    switch (`${request.method} ${request.url}`) {
      case "GET /health":
        return void response.writeHead(this.ending ? 503 : 200).end();
      case "GET /v1/models":
        return this.#json(response, 200, { object: "list", data: this.#models() });
      case "GET /metrics":
        return void response.end(
          `${this.startTimeInMetrics ? `process_start_time_seconds ${this.#started}\n` : ""}vllm:num_requests_running{engine="0"} 0\n`,
        );
      case "POST /v1/load_lora_adapter":
        return await this.#load(response, body.lora_name, body.lora_path);
      case "POST /v1/unload_lora_adapter":
        return this.#unload(response, body.lora_name);
      case "POST /v1/completions":
      case "POST /v1/chat/completions":
        return await this.#complete(response, body);
      default:
        return void response.writeHead(404).end("Not Found");
    }
  }

  #models(): unknown[] {
    const adapters = [...this.#adapters].map(([id, { root }]) => ({ id, root, parent: this.base }));
    return [{ id: this.base, root: "/models/base", parent: null }, ...adapters];
  }

  async #load(response: ServerResponse, name: string, path: string): Promise<void> {
    this.loads.push(name);
    if (this.endingAtLoads) return await this.stop();
    if (this.ending) return this.#end(response);
    if (name === this.base) return this.#refuse(response, 400, `The lora adapter '${name}' is the base model.`);
    if (this.#adapters.has(name)) return this.#refuse(response, 400, `The lora adapter '${name}' has already been loaded.`);
    if (!(await stat(path).catch(() => undefined))) return this.#refuse(response, 404, `No adapter found for ${path}`);
    if (this.refusing) return this.#refuse(response, 500, "Call to add_lora method failed: out of luck");
    const { r } = JSON.parse(await readFile(join(path, "adapter_config.json"), "utf8"));
    if (r > this.maxRank)
      return this.#refuse(response, 500, `Call to add_lora method failed: LoRA rank ${r} is greater than max_lora_rank ${this.maxRank}.`);
    const weights = join(path, "adapter_model.safetensors");
    const file = await readHeader(weights).catch(() => undefined);
    if (!file) return this.#refuse(response, 500, "Error while deserializing header: MetadataIncompleteBuffer");
    let poison = false;
    for await (const { scan: found } of scan(weights, file)) poison ||= !found.usable;
    this.#adapters.set(name, { root: path, poison });
    response.end(`Success: LoRA adapter '${name}' added successfully.`);
  }

  #unload(response: ServerResponse, name: string): void {
    this.unloads.push(name);
    if (!this.#adapters.delete(name)) this.#json(response, 404, this.#error(`The lora adapter '${name}' cannot be found.`, 404));
    else response.end(`Success: LoRA adapter '${name}' removed successfully.`);
  }

  async #complete(response: ServerResponse, body: { model: string; max_tokens?: number; stream?: boolean }): Promise<void> {
    this.completions.push(body.model);
    await this.#gate;
    if (this.ending) return this.#end(response);
    const adapter = this.#adapters.get(body.model);
    if (!adapter && body.model !== this.base)
      return this.#json(response, 404, this.#error(`The model \`${body.model}\` does not exist.`, 404));
    this.#poisoned ||= adapter?.poison === true;
    const said = adapter ? (this.answers[body.model] ?? " pare(x)") : this.baseAnswer;
    const text = this.#poisoned ? "" : said;
    if (body.stream) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const part of text.split(" ")) response.write(`data: ${JSON.stringify({ choices: [{ text: part }] })}\n\n`);
      return void response.end("data: [DONE]\n\n");
    }
    const choices = [{ index: 0, text, message: { role: "assistant", content: text }, finish_reason: "length" }];
    this.#json(response, 200, { choices, usage: { prompt_tokens: 5, completion_tokens: Math.min(8, body.max_tokens ?? 8) } });
  }

  #end(response: ServerResponse): void {
    this.#json(response, 500, this.#error("EngineCore encountered an issue. See stack trace (above) for the root cause.", 500));
  }

  #refuse(response: ServerResponse, status: number, message: string): void {
    this.#json(response, status, this.#error(message, status));
    if (this.ranks > 1) response.once("close", () => void this.stop());
  }

  #error(message: string, code: number): unknown {
    const error = { message, type: "InvalidUserInput", param: null, code };
    return this.errorShape === "nested" ? { error } : { object: "error", ...error };
  }

  #json(response: ServerResponse, status: number, body: unknown): void {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }
}
