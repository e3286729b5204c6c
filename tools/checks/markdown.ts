/** A link or image of a Markdown text. */
export interface MarkdownLink {
  /** 1-based. */
  readonly line: number;
  /** As written, for example `../docs/errors.md#bus_config`. */
  readonly target: string;
}

/** A fenced code block of a Markdown text. */
export interface MarkdownBlock {
  /** 1-based line of the opening fence. */
  readonly line: number;
  /** First word after the fence, for example `ts`. */
  readonly language: string;
  /** The other words after the fence, for example `no-run`. */
  readonly words: readonly string[];
  /** Lines between the fences. */
  readonly code: string;
  /** Lines of a comment `<!-- ts … -->` right before the block: what it needs to compile and nobody needs to read. */
  readonly preamble: string;
}

const FENCE = /^\s*(`{3,}|~{3,})\s*(\S*)\s*(.*)$/;
const PREAMBLE = /<!-- ts\n((?:(?!-->)[^])*?)\n-->\s*$/;
const INLINE_LINK = /!?\[(?:[^\][]|\[[^\]]*\])*\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g;
const REFERENCE = /^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*(?:"[^"]*")?$/;

/** The fenced code blocks, in their order. A block that is never closed runs to the end. */
export function markdownBlocks(text: string): readonly MarkdownBlock[] {
  const lines = text.split("\n");
  const blocks: MarkdownBlock[] = [];
  for (let start = 0; start < lines.length; start += 1) {
    const fence = FENCE.exec(lines[start] ?? "");
    if (fence === null) continue;
    const [, marks = "", language = "", rest = ""] = fence;
    const found = lines.findIndex((line, index) => index > start && closes(line, marks));
    const end = found === -1 ? lines.length : found;
    const words = rest.split(/\s+/).filter((word) => word !== "");
    const preamble = PREAMBLE.exec(lines.slice(0, start).join("\n"))?.[1] ?? "";
    blocks.push({
      line: start + 1,
      language,
      words,
      code: lines.slice(start + 1, end).join("\n"),
      preamble,
    });
    start = end;
  }
  return blocks;
}

/** Links, images and link definitions outside of code. */
export function markdownLinks(text: string): readonly MarkdownLink[] {
  return proseLines(text).flatMap(({ line, prose }) => {
    const inline = [...prose.matchAll(INLINE_LINK)].map((match) => match[1]);
    const targets = [...inline, REFERENCE.exec(prose)?.[1]];
    return targets.flatMap((target) => (target === undefined ? [] : [{ line, target }]));
  });
}

/** The names that `#…` can point to: headings as GitHub spells them, and `id` or `name` of HTML tags. */
export function markdownAnchors(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const { prose, heading } of proseLines(text)) {
    if (heading !== undefined) anchors.add(unusedSlug(slug(heading), anchors));
    for (const match of prose.matchAll(/\s(?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? "");
  }
  return anchors;
}

interface ProseLine {
  readonly line: number;
  /** The line without its inline code. */
  readonly prose: string;
  /** Text of a heading, with the text of its inline code. */
  readonly heading?: string;
}

function proseLines(text: string): readonly ProseLine[] {
  const lines: ProseLine[] = [];
  let fence: string | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    if (fence !== undefined) {
      if (closes(line, fence)) fence = undefined;
      continue;
    }
    fence = FENCE.exec(line)?.[1];
    if (fence !== undefined) continue;
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    const prose = line.replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/g, "");
    lines.push({ line: index + 1, prose, ...(heading === undefined ? {} : { heading }) });
  }
  return lines;
}

function closes(line: string, fence: string): boolean {
  const trimmed = line.trim();
  return trimmed.startsWith(fence) && trimmed.replaceAll(fence.charAt(0), "") === "";
}

function slug(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "");
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
    .replaceAll(" ", "-");
}

function unusedSlug(wanted: string, used: ReadonlySet<string>): string {
  if (!used.has(wanted)) return wanted;
  let number = 1;
  while (used.has(`${wanted}-${number}`)) number += 1;
  return `${wanted}-${number}`;
}
