import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cloudEvent, eventSubject } from "@rune/crds/contracts/cloudevents";
import { expect, test } from "vitest";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/events.md"), "utf8");
const fences = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text);
const types: readonly string[] = cloudEvent.options.map(({ shape }) => shape.type.value);
const examples = fences("json").map((text) => JSON.parse(text) as { type: string });

test.each(examples.map((example) => [example.type, example] as const))(
  "the example of %s is one, without a field too many",
  (_, example) => {
    const parsed = cloudEvent.parse(example);
    expect(parsed).toEqual(example);
    const { object } = parsed.data;
    expect(parsed).toMatchObject({ subject: object.name, id: expect.stringMatching(new RegExp(`^${object.uid}/`)) });
    expect(parsed.source).toContain(`/namespaces/${object.namespace}/`);
  },
);

test("every type has an example, and a row with the subject that it is published on", () => {
  expect(examples.map(({ type }) => type).sort()).toEqual(types.toSorted());
  const rows = Object.fromEntries([...page.matchAll(/^\| `(dev\.rune\.\S+)` \| `(\S+)` \|/gm)].map(([, type, subject]) => [type, subject]));
  const subjects = examples
    .map((example) => cloudEvent.parse(example))
    .map((event) => [event.type, eventSubject(event).replace("team-a", "<namespace>")]);
  expect(rows).toEqual(Object.fromEntries(subjects));
});

test("the values that it shows are values of the chart", () => {
  const { events } = parse(readFileSync(join(root, "charts/rune/values.yaml"), "utf8"));
  const [shown = ""] = fences("yaml");
  expect(Object.keys(events)).toEqual(expect.arrayContaining(Object.keys(parse(shown).events)));
  const named = [...page.matchAll(/`events\.(\w+)/g)].map(([, name = ""]) => name);
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((name) => !(name in events))).toEqual([]);
});
