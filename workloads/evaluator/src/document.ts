/** Part of a text: a paragraph, a list, or a table with headings in its first row and first column. */
export type Block = { paragraph: string } | { list: string[] } | { table: string[][] };
/** Texts may contain `code` and **strong** markup, and no other. */
export type Section = { heading: string; blocks: Block[] };
export type Document = { title: string; lead: Block[]; sections: Section[] };

export const paragraph = (text: string): Block[] => (text === "" ? [] : [{ paragraph: text }]);
export const list = (items: readonly string[]): Block[] => {
  const said = items.filter((item) => item !== "");
  return said.length === 0 ? [] : [{ list: said }];
};

/** As Markdown. Sections without blocks are left out. */
export function markdown({ title, lead, sections }: Document): string {
  const parts = [
    `# ${title}`,
    ...lead.map(markdownBlock),
    ...sections.filter(({ blocks }) => blocks.length > 0).flatMap(({ heading, blocks }) => [`## ${heading}`, ...blocks.map(markdownBlock)]),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** As HTML, everything escaped. */
export function html(blocks: readonly Block[]): string {
  return blocks.map(htmlBlock).join("\n");
}

/** A plot with its caption, and what stands below it. */
export function figure(plot: string, caption: string, more = ""): string {
  return `<figure>${plot}<figcaption>${escaped(caption)}</figcaption>${more}</figure>\n`;
}

/** Text escaped for HTML, between tags and in quoted attributes. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

function markdownBlock(block: Block): string {
  if ("paragraph" in block) return block.paragraph;
  if ("list" in block) return block.list.map((item) => `- ${item}`).join("\n");
  const [head = [], ...rows] = block.table;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function htmlBlock(block: Block): string {
  if ("paragraph" in block) return `<p>${inline(block.paragraph)}</p>`;
  if ("list" in block) return `<ul>${block.list.map((item) => `<li>${inline(item)}</li>`).join("")}</ul>`;
  const [head = [], ...rows] = block.table;
  const columns = head.map((cell) => `<th scope="col">${inline(cell)}</th>`).join("");
  const body = rows.map(
    ([name = "", ...cells]) => `<tr><th scope="row">${inline(name)}</th>${cells.map((cell) => `<td>${inline(cell)}</td>`).join("")}</tr>`,
  );
  return `<div class="wide"><table><thead><tr>${columns}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

/** Escaped first, so that the only markup is what this function adds. */
function inline(text: string): string {
  return escaped(text)
    .replace(/`([^`]*)`/g, "<code>$1</code>")
    .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>");
}
