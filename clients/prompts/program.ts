import type { Task } from "@rune/crds/kinds/agent-session";
import { prefill } from "./prompt.ts";

/** Code between two fences of a completion; `closed` is false if another block opens or the text ends first. */
type Block = { text: string; closed: boolean };
/** The opening fence of a block, with its indentation. */
type Fence = { mark: string; indent: number };

/** Limit of blocks, because each of them may be scanned to the end of the completion. */
const mostBlocks = 64;
const opening = /^([ \t]*)(`{3,}|~{3,})[^`\n]*(?:\n|$)/gm;
/** What can hide a fence in Python (a comment, a string, an unterminated docstring), a fence line, other backticks. */
const tokens =
  /#[^\n]*|("""|''')(?:\\[\s\S]|(?!\1)[^\\])*(\1)?|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|^(?<indent>[ \t]*)(?<line>`{3,}|~{3,})(?<info>[^`\n]*)$|(?<within>`{3,})/gm;

/**
 * The program in a continuation of `prefill`, in the forms that people and models use: the rest of the block that is
 * already open, or a block of its own, with or without a sentence before it, with or without the stub. The last
 * complete block that defines the entry point is used.
 */
export function programOf(task: Task, continuation: string): string {
  const program = chosen(task, withoutRepeatedSpace(task, continuation)).trimEnd();
  return program === "" ? "" : `${program}\n`.toWellFormed();
}

/** A program without its end, if its JSON form has more bytes than a log record holds; cut between characters. */
export function cutAfter(longest: number, program: string): string {
  let characters = Array.from(program);
  while (Buffer.byteLength(JSON.stringify(characters.join(""))) > longest)
    characters = characters.slice(0, Math.floor(characters.length * 0.9));
  return characters.join("");
}

function chosen({ entryPoint, stub = "" }: Task, continuation: string): string {
  const [given = { text: stub, closed: false }, ...others] = blocksOf(stub + continuation, { mark: "```", indent: 0 });
  const body = given.text.slice(stub.length);
  const defines = ({ text }: Block) => definition(entryPoint).test(text);
  const whole = others.findLast((block) => block.closed && defines(block));
  // A bare fence after a sentence closes the given block; parsed without the prefill, it opens one.
  const bare = whole ?? blocksOf(continuation).findLast((block) => block.closed && defines(block));
  if (bare) return withPreamble(entryPoint, stub, bare.text);
  if (!given.closed || body.trim() === "") {
    const begun = others.findLast(defines);
    if (begun) return withPreamble(entryPoint, stub, begun.text);
    const [next] = others;
    if (next && (body.trim() === "" || indented(next.text))) return stub + next.text;
  }
  return definition(entryPoint).test(stub) && defines({ ...given, text: body }) && !indented(body)
    ? withPreamble(entryPoint, stub, body)
    : given.text;
}

/** The fenced blocks of a text; `fence` is the one that is open at its beginning. */
function blocksOf(text: string, fence?: Fence): Block[] {
  const blocks: Block[] = [];
  let open = fence;
  let at = 0;
  while (blocks.length < mostBlocks) {
    if (open) {
      const end = endOf(text, at, open);
      blocks.push({ text: unindented(text.slice(at, end.at), open.indent), closed: end.closed });
      open = end.opens;
      at = end.next;
    } else {
      const found = from(opening, at).exec(text);
      if (!found) break;
      open = { mark: found[2] ?? "", indent: found[1]?.length ?? 0 };
      at = found.index + found[0].length;
    }
    if (at >= text.length) break;
  }
  return blocks;
}

type End = { at: number; next: number; closed: boolean; opens?: Fence };

/** The end of a block: a fence outside comments and strings, at the beginning of a line or in the middle of one. */
function endOf(text: string, begin: number, open: Fence): End {
  const scan = from(tokens, begin);
  for (let found = scan.exec(text); found; found = scan.exec(text)) {
    const { indent, line, info = "", within } = found.groups ?? {};
    if (found[1] && !found[2]) return endInString(text, found.index, open);
    if (within && open.mark.startsWith("`")) return { at: found.index, next: scan.lastIndex, closed: true };
    if (!line || !(line.startsWith(open.mark) || /^\s*py/i.test(info))) continue;
    const next = scan.lastIndex + 1;
    if (info.trim() === "") return { at: found.index, next, closed: true };
    return { at: found.index, next, closed: false, opens: { mark: line, indent: indent?.length ?? 0 } };
  }
  return { at: text.length, next: text.length, closed: false };
}

/** For an unterminated docstring: the first fence that is indented no further than the block's own. */
function endInString(text: string, begin: number, open: Fence): End {
  const found = from(new RegExp(`^[ \\t]{0,${open.indent}}${open.mark}[^\\n]*$`, "gm"), begin).exec(text);
  return found
    ? { at: found.index, next: found.index + found[0].length + 1, closed: true }
    : { at: text.length, next: text.length, closed: false };
}

function from(pattern: RegExp, at: number): RegExp {
  const begun = new RegExp(pattern);
  begun.lastIndex = at;
  return begun;
}

function unindented(text: string, indent: number): string {
  return indent === 0 ? text : text.replaceAll(new RegExp(`^[ \\t]{0,${indent}}`, "gm"), "");
}

const indented = (text: string) => /^(?:[ \t]*\n)*[ \t]+\S/.test(text);

/** Matches the line that defines a name at the top level of a program. */
function definition(name: string): RegExp {
  return new RegExp(`^(?:(?:async[ \\t]+)?def|class)[ \\t]+${name}\\b|^${name}[ \\t]*(?::[^=\\n]+)?=(?!=)`, "m");
}

/** A program that redefines the stub's function, with the stub's lines before it: models leave out its imports. */
function withPreamble(entryPoint: string, stub: string, text: string): string {
  const at = stub.search(definition(entryPoint));
  const lines = (at < 0 ? stub : stub.slice(0, at)).trim().split("\n");
  const preamble = withoutDecorators(lines).join("\n").trim();
  const unfinished = at < 0 && /[:,([{=\\]$/.test(preamble);
  return preamble === "" || unfinished || text.includes(preamble) ? text : `${preamble}\n\n${text}`;
}

/** Without the decorators at the end, each of which may span lines. */
function withoutDecorators(lines: readonly string[]): readonly string[] {
  const statement = lines.findLastIndex((line) => /^[^\s)\]}#]/.test(line));
  return lines[statement]?.startsWith("@") ? withoutDecorators(lines.slice(0, statement)) : lines;
}

/** Where a chat template trims the prefill, the model writes its trailing whitespace again. */
function withoutRepeatedSpace(task: Task, continuation: string): string {
  const [space = ""] = /\s*$/.exec(prefill(task)) ?? [];
  return continuation.startsWith(space) ? continuation.slice(space.length) : continuation;
}
