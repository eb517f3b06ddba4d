import fc from "fast-check";

/**
 * A body as the text of its fields' values, because much that breaks engines can't be written by JSON.stringify: NaN,
 * 1e400, lone surrogates.
 */
export type Body = Readonly<Record<string, string>>;
export type Path = "/v1/chat/completions" | "/v1/completions";
export const paths: readonly Path[] = ["/v1/chat/completions", "/v1/completions"];

export const textOf = (body: Body) =>
  `{${Object.entries(body)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
    .join(",")}}`;

const json = (value: unknown) => JSON.stringify(value);
const deep = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels);
const words = (count: number) =>
  Array.from({ length: count }, (_, index) => ["write", "program", "that", "adds", "two"][index % 5]).join(" ");

/** Values that match no field, or only just. */
export const oddValues: readonly string[] = [
  ...[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "20",
    "0.5",
    "-0.5",
    "1e-320",
    "1e308",
    "-1e308",
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
  ],
  ...[
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    `1${"0".repeat(400)}`,
  ],
  ...[
    '""',
    '" "',
    '"x"',
    '"0"',
    '"auto"',
    '"none"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"😀"',
    json("a".repeat(200_000)),
    json(words(2_000)),
  ],
  ...[
    "[]",
    "[0]",
    "[-1]",
    "[1,2,3]",
    "[62]",
    "[1000000000]",
    "[9223372036854775808]",
    "[null]",
    '["a"]',
    '[""]',
    '["\\ud800"]',
    "[[]]",
    "[[1,2],[3]]",
    "[[-1]]",
    "[0.5]",
  ],
  ...[
    "{}",
    '{"a":1}',
    '{"":""}',
    '{"0":100}',
    '{"-1":1}',
    '{"5":1e400}',
    '{"5":NaN}',
    '{"99999999999":1}',
    '{"type":"x"}',
    '{"type":"json_object"}',
  ],
  ...[deep("[", "]", 900), `${'{"a":'.repeat(900)}1${"}".repeat(900)}`, json(Array.from({ length: 5_000 }, (_, index) => index))],
];

const schema = { type: "object", properties: { a: { type: "integer" }, b: { type: "array", items: { type: "string" } } }, required: ["a"] };
const endless = { $defs: { n: { type: "object", properties: { n: { $ref: "#/$defs/n" } } } }, $ref: "#/$defs/n" };
const tool = { type: "function", function: { name: "add", description: "adds", parameters: schema } };
const brackets = (count: number) => `${"(".repeat(count)}a${")".repeat(count)}`;
const nasty = [
  ...[brackets(60), brackets(5_000), brackets(100_000)],
  "(a|a)*b",
  "a{1,10000}",
  "((((a*)*)*)*)*",
  "(?=a)b",
  "[",
  "\\p{L}+",
  "(a?){500}a{500}",
  "",
  "^$",
  "\\u0000",
];
const grammars = [
  `root ::= ${brackets(60)}`,
  `root ::= ${brackets(100_000)}`,
  'root ::= "a" root | "b"',
  "root ::= root",
  'root ::= ("a" | "b"){1,100000}',
  "root ::=",
  "?start: /a/",
];

/** Realistic values, and values just beyond them. */
export const tellingValues: Readonly<Record<string, readonly string[]>> = {
  logprobs: ["true", "0", "1", "5", "20", "21"],
  top_logprobs: ["0", "1", "20", "21", "-1"],
  prompt_logprobs: ["0", "1", "20", "-1"],
  logprob_token_ids: ["[1,2,3]", "[0]", "[1,1,1,1]"],
  n: ["2", "3", "8", "64", "1000"],
  seed: ["0", "1", "-1", "42", "18446744073709551615"],
  temperature: ["0", "0.0000001", "0.5", "1", "2"],
  top_p: ["0", "1e-9", "0.5", "1"],
  top_k: ["-1", "0", "1", "62", "100000", "2147483647"],
  min_p: ["0", "0.5", "1", "1e-300"],
  presence_penalty: ["-2", "2"],
  frequency_penalty: ["-2", "2"],
  repetition_penalty: ["1e-300", "0.0001", "1.5", "1e30", "1e300"],
  length_penalty: ["0", "-5", "1e300"],
  use_beam_search: ["true"],
  max_tokens: ["0", "1", "8", "400", "511", "512"],
  max_completion_tokens: ["1", "8", "400", "512"],
  min_tokens: ["1", "3", "4", "400"],
  stop: ['"the"', '["the","a"]', '["😀"]', json("x".repeat(10_000)), '["a","b","c","d"]'],
  stop_token_ids: ["[2]", "[0,1,2,3,4]", json(Array.from({ length: 60 }, (_, index) => index))],
  ignore_eos: ["true"],
  include_stop_str_in_output: ["true"],
  skip_special_tokens: ["false"],
  spaces_between_special_tokens: ["false"],
  add_special_tokens: ["true", "false"],
  logit_bias: ['{"5":100}', '{"5":-100}', json(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [index, -100])))],
  allowed_token_ids: ["[5]", "[2]", "[5,6,7]"],
  bad_words: ['["the"]', '["two numbers"]', json(["the", "a", "of", "to", "and"]), json([words(300)])],
  truncate_prompt_tokens: ["-1", "0", "1", "3", "511", "100000"],
  truncation_side: ['"left"', '"right"'],
  echo: ["true"],
  suffix: ['"x"'],
  stream: ["true"],
  stream_options: ['{"include_usage":true}', '{"include_usage":true,"continuous_usage_stats":true}'],
  stream_interval: ["1", "3"],
  response_format: [
    json({ type: "text" }),
    json({ type: "json_object" }),
    json({ type: "json_schema", json_schema: { name: "a", schema } }),
    json({ type: "json_schema", json_schema: { name: "a", schema: endless } }),
    json({ type: "json_schema", json_schema: { name: "a", schema: {} } }),
    json({ type: "json_schema", json_schema: { name: "a" } }),
    json({ type: "structural_tag", structures: [{ begin: "a", schema, end: "b" }], triggers: ["a"] }),
    json({ type: "structural_tag", format: { type: "const_string", value: "a" } }),
  ],
  structured_outputs: [
    ...nasty.map((regex) => json({ regex })),
    ...grammars.map((grammar) => json({ grammar })),
    ...[["a", "b"], [], [""], ["😀", "a".repeat(5_000)]].map((choice) => json({ choice })),
    ...[
      schema,
      endless,
      {},
      { type: "nothing" },
      { enum: [] },
      { pattern: nasty[0], type: "string" },
      "{",
      { maxItems: 1e9, type: "array" },
    ].map((each) => json({ json: each })),
    json({ json_object: true }),
    json({ structural_tag: "{" }),
    json({ json: schema, whitespace_pattern: "(" }),
  ],
  tools: [json([tool]), json([tool, tool]), json([{ ...tool, function: { name: "x" } }]), json(Array.from({ length: 100 }, () => tool))],
  tool_choice: [
    '"none"',
    '"auto"',
    '"required"',
    json({ type: "function", function: { name: "add" } }),
    json({ type: "function", function: { name: "absent" } }),
  ],
  parallel_tool_calls: ["true", "false"],
  reasoning_effort: ['"high"', '"none"'],
  thinking_token_budget: ["0", "1", "-1"],
  repetition_detection: [
    json({ max_pattern_size: 4, min_pattern_size: 1, min_count: 2 }),
    json({ max_pattern_size: 1e9, min_pattern_size: -1, min_count: 0 }),
  ],
  chat_template: [json("{% for i in range(100000000) %}x{% endfor %}"), json("{{ messages[0].content }}"), json("{{ ''.__class__ }}")],
  chat_template_kwargs: [
    '{"enable_thinking":false}',
    '{"messages":[]}',
    '{"chat_template":"x"}',
    '{"tools":1}',
    '{"tokenize":true}',
    '{"truncation":true,"max_length":1}',
  ],
  add_generation_prompt: ["false"],
  continue_final_message: ["true"],
  documents: ['[{"title":"a","text":"b"}]'],
  vllm_xargs: ['{"a":1}', '{"kv_transfer_params":"x"}', '{"watermark":"x"}'],
  kv_transfer_params: ['{"do_remote_decode":true}', '{"do_remote_prefill":true,"remote_engine_id":"x","remote_block_ids":[1]}'],
  ec_transfer_params: ['{"a":1}'],
  cache_salt: ['"salt"', '"a/b"'],
  priority: ["1", "-1"],
  prompt_embeds: ['"AAAA"', '["AAAA"]'],
  return_token_ids: ["true"],
  return_tokens_as_token_ids: ["true"],
  return_prompt_text: ["true"],
  routed_experts_prompt_start: ["1"],
  watermarking: ["true"],
  user: ['"somebody"'],
  request_id: ['"same"', json("x".repeat(5_000))],
  mm_processor_kwargs: ['{"num_crops":1000000}'],
  media_io_kwargs: ['{"video":{"num_frames":1000000}}'],
  prompt: [
    ...[
      '"the capital of France is"',
      '["a","b"]',
      "[1,2,3]",
      "[[1,2],[3]]",
      json(words(300)),
      json(words(505)),
      json(words(600)),
      "[62]",
      "[110]",
      "[100000]",
      "[9223372036854775807]",
    ],
    json(Array.from({ length: 40 }, () => "the")),
  ],
  messages: [
    ...[
      [],
      [{}],
      [{ role: "user" }],
      [{ role: "user", content: "" }],
      [{ role: "nobody", content: "a" }],
      [{ role: "tool", content: "a" }],
    ].map(json),
    ...[
      [{ role: "user", content: null }],
      [{ role: "user", content: [{ type: "text", text: "a" }] }],
      [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] }],
    ].map(json),
    ...[[{ role: "assistant", content: "a" }], [{ role: "user", content: words(300) }], [{ role: "user", content: words(600) }]].map(json),
    json([
      { role: "assistant", tool_calls: [{ id: "1", type: "function", function: { name: "add", arguments: "{" } }] },
      { role: "tool", tool_call_id: "1", content: "3" },
    ]),
    json(Array.from({ length: 200 }, () => ({ role: "user", content: "a" }))),
    '[{"role":"user","content":"\\ud800"}]',
  ],
};

/** A small request that works. */
export function plainBody(path: Path, model: string): Body {
  const asked: [string, string] =
    path === "/v1/completions" ? ["prompt", '"the capital of France is"'] : ["messages", '[{"role":"user","content":"write a program"}]'];
  return Object.fromEntries([["model", json(model)], asked, ["max_tokens", "4"]]);
}

const valuesOf = (field: string) => [...(tellingValues[field] ?? []), ...oddValues];

/** Every documented field with every odd and significant value, one at a time. */
export function singles(path: Path, model: string, fields: readonly string[]): Body[] {
  return fields.flatMap((field) => valuesOf(field).map((value) => ({ ...plainBody(path, model), [field]: value })));
}

/** Several fields at once, with values that mostly pass separately; reproducible by the seed. */
export function combinations(
  path: Path,
  model: string,
  fields: readonly string[],
  { seed, count }: { seed: number; count: number },
): Body[] {
  const field = fc.constantFrom(...fields.filter((each) => tellingValues[each]));
  const change = field.chain((name) => {
    const telling = tellingValues[name] ?? [];
    const value = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...telling) }, { weight: 1, arbitrary: fc.constantFrom(...oddValues) });
    return value.map((each) => [name, each] as const);
  });
  const changes = fc.array(change, { minLength: 2, maxLength: 7 });
  return fc.sample(changes, { seed, numRuns: count }).map((each) => ({ ...plainBody(path, model), ...Object.fromEntries(each) }));
}
