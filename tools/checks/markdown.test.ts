import { describe, expect, test } from "vitest";

import { markdownAnchors, markdownBlocks, markdownLinks } from "./markdown.ts";

describe("markdownBlocks", () => {
  test("a block has its language, its words and its code", () => {
    const text = "before\n```ts program no-run\nconst a = 1;\n\nvoid a;\n```\nafter";
    const expected = {
      line: 2,
      language: "ts",
      words: ["program", "no-run"],
      code: "const a = 1;\n\nvoid a;",
    };
    expect(markdownBlocks(text)).toMatchObject([expected]);
  });

  test("a comment right before a block is its preamble, one further up is not", () => {
    const text =
      "<!-- ts\nconst a = 1;\n-->\n\n```ts\nvoid a;\n```\ntext\n```ts\nx\n```\n<!-- note -->\n```ts\ny\n```\n";
    expect(markdownBlocks(text).map(({ preamble }) => preamble)).toEqual(["const a = 1;", "", ""]);
  });

  test("a longer fence holds a shorter one", () => {
    expect(markdownBlocks("````md\n```ts\nx\n```\n````")).toMatchObject([
      { language: "md", code: "```ts\nx\n```" },
    ]);
  });
});

describe("markdownLinks", () => {
  test("links, images and definitions are found with their lines", () => {
    const text = '# A\n[a](b.md) and ![c](d.png)\n\n[e]: f.md#g\n[h `i`](<j.md> "title")';
    expect(markdownLinks(text)).toEqual([
      { line: 2, target: "b.md" },
      { line: 2, target: "d.png" },
      { line: 4, target: "f.md#g" },
      { line: 5, target: "j.md" },
    ]);
  });

  test("an image inside of a link hides neither", () => {
    expect(markdownLinks("[![x](a.png)](b.md)").map(({ target }) => target)).toContain("b.md");
  });

  test("code is no link", () => {
    expect(markdownLinks("`[a](b.md)` ``[a](`b`.md)``\n```\n[c](d.md)\n```\n")).toEqual([]);
  });
});

describe("markdownAnchors", () => {
  test("headings are spelled as GitHub spells them, doubles are numbered", () => {
    const text =
      "# Try it!\n## `a.ts` and *b*\n## [Link](x.md)\n### Same\n### Same\n```\n# not this\n```\n";
    expect([...markdownAnchors(text)]).toEqual(["try-it", "ats-and-b", "link", "same", "same-1"]);
  });

  test("an id of a tag is an anchor", () => {
    expect(markdownAnchors('| <a id="bus_config"></a>`BUS_CONFIG` |')).toContain("bus_config");
  });
});
