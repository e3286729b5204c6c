import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { headerVersion, headersFolder } from "./node-headers.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bus-headers-test-"));
});

afterEach(async () => await rm(root, { recursive: true }));

async function putHeaders(folder: string, version: string): Promise<void> {
  const [major, minor, patch] = version.split(".");
  const file = join(folder, "include", "node", "node_version.h");
  await mkdir(dirname(file), { recursive: true });
  await writeFile(
    file,
    `#define NODE_MAJOR_VERSION ${major}\n#define NODE_MINOR_VERSION ${minor}\n#define NODE_PATCH_VERSION ${patch}\n`,
  );
}

test("headers beside bin are found", async () => {
  await putHeaders(root, "24.21.0");
  expect(await headersFolder(join(root, "bin", "node"), "v24.21.0")).toBe(root);
});

test("headers in the package of the platform inside the npm package are found", async () => {
  const inside = join(root, "node_modules", `node-${process.platform}-${process.arch}`);
  await putHeaders(inside, "24.21.0");
  expect(await headersFolder(join(root, "bin", "node"), "v24.21.0")).toBe(inside);
});

test("headers of another version are not taken", async () => {
  await putHeaders(root, "24.20.0");
  await expect(headersFolder(join(root, "bin", "node"), "v24.21.0")).rejects.toMatchObject({
    code: "HEADERS_MISSING",
  });
});

test("a file that defines no version matches none", () => {
  expect(headerVersion("")).toBe("v?.?.?");
});
