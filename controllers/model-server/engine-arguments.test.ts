import { operatorsArgument, operatorsArgumentIn, operatorsArguments } from "@rune/crds/words/engine-arguments";
import { describe, expect, it } from "vitest";
import { config, modelServer } from "../testing/objects.ts";
import { engineArguments } from "./engine-container.ts";

/** What the operator only suggests: `extraArguments` come later and may say otherwise. */
const suggested = ["--disable-access-log-for-endpoints", "--enforce-eager", "--dtype", "--block-size"];

describe("the arguments of vLLM", () => {
  it.each(["CPU", "CUDA"] as const)("that the operator sets for %s are its own, or a suggestion", (device) => {
    const server = modelServer("coder", { spec: { quantization: "NF4" } });
    const names = engineArguments(server, { ...config, engine: { ...config.engine, device } }).filter((text) => text.startsWith("-"));
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !suggested.includes(name) && !operatorsArguments.includes(name))).toEqual([]);
  });

  it.each(["--host", "--host=0.0.0.0", "--max_lora_rank=64", "--max-lora_rank", "-tp", "-q=awq", "--api_key x", "--lora-modules.path=/x"])(
    "%s is the operator's",
    (argument) => {
      expect(argument).toMatch(new RegExp(operatorsArgument));
      expect(operatorsArgumentIn(argument)).toBeDefined();
    },
  );

  it.each([
    ["--hos=0.0.0.0", "--host"],
    ["--lora-mod", "--lora-modules"],
    ["--served_model x", "--served-model-name"],
    ["--max-lora", "--max-lora-rank"],
    ["-t", "-tp"],
    ["-qawq", "-q"],
  ])("%s is %s to vLLM, and so the operator's", (argument, meant) => {
    expect(operatorsArgumentIn(argument)).toBe(meant);
  });

  it.each(["--enable-prefix-caching", "--hosts", "--model-impl=vllm", "--max-num-batched-tokens", "-tpx", "-O3", "-1", "--", "4096"])(
    "%s is anybody's",
    (argument) => {
      expect(argument).not.toMatch(new RegExp(operatorsArgument));
      expect(operatorsArgumentIn(argument)).toBeUndefined();
    },
  );
});
