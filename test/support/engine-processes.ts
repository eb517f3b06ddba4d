import { inEngine } from "./installation.ts";

interface Process {
  pid: number;
  title: string;
}

/** The processes of the engine's container, with the titles that vLLM gives them. */
export async function engineProcesses(): Promise<Process[]> {
  return JSON.parse(await inEngine(list));
}

const list = `
import json, os
def title(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read().replace("\\0", " ").strip()
    except OSError:
        return ""
print(json.dumps([{"pid": int(pid), "title": title(pid)} for pid in os.listdir("/proc") if pid.isdigit() and title(pid)]))
`;

/** The core of the engine: the scheduler, which all the others serve. */
export const engineCore = /VLLM::EngineCore/;
/** The rank with the second half of the layers. */
export const secondRank = /VLLM::Worker.*PP1/;

/** Sends a signal to the process with this title, from inside the container. */
export async function signal(title: RegExp, name: "SIGKILL" | "SIGSTOP"): Promise<void> {
  const processes = await engineProcesses();
  const found = processes.find((each) => title.test(each.title));
  if (!found) throw new Error(`no process of the engine is called ${title}: ${processes.map((each) => each.title).join(", ")}`);
  await inEngine(`import os, signal; os.kill(${found.pid}, signal.${name})`);
}
