import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { cachedFolder } from "./download-cache.ts";

const MODULE = join(import.meta.dirname, "download-cache.ts");
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bus-cache-test-"));
  vi.stubEnv("XDG_CACHE_HOME", root);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true });
});

test("a folder is filled once and found afterwards", async () => {
  const fill = vi.fn(async (folder: string) => await writeFile(join(folder, "file"), "content"));
  const first = await cachedFolder("tool-1", fill);
  expect(await cachedFolder("tool-1", fill)).toBe(first);
  expect(fill).toHaveBeenCalledTimes(1);
  expect(await readFile(join(first, "file"), "utf8")).toBe("content");
  expect(await readdir(join(root, "bus-brokers"))).toEqual(["tool-1"]);
});

test("a fill that fails half-way leaves nothing behind, and the next one starts from nothing", async () => {
  const failing = cachedFolder("tool-1", async (folder) => {
    await writeFile(join(folder, "half"), "");
    throw new Error("the network went away");
  });
  await expect(failing).rejects.toThrow("the network went away");
  expect(await readdir(join(root, "bus-brokers"))).toEqual([]);
  const folder = await cachedFolder(
    "tool-1",
    async (part) => await writeFile(join(part, "whole"), ""),
  );
  expect(await readdir(folder)).toEqual(["whole"]);
});

test("a lock whose owner is dead is taken over", async () => {
  const owner = spawn("true");
  await once(owner, "exit");
  await mkdir(join(root, "bus-brokers"));
  await writeFile(join(root, "bus-brokers", "tool-1.lock"), String(owner.pid));
  const folder = await cachedFolder(
    "tool-1",
    async (part) => await writeFile(join(part, "file"), ""),
  );
  expect(existsSync(join(folder, "file"))).toBe(true);
});

test("of four processes that want the same folder at once, one fills it and all get it whole", async () => {
  const script = `
    import { appendFile, readdir, writeFile } from "node:fs/promises";
    import { cachedFolder } from ${JSON.stringify(MODULE)};
    const folder = await cachedFolder("tool-1", async (part) => {
      await appendFile(${JSON.stringify(join(root, "fills"))}, "x");
      for (let index = 0; index < 50; index += 1) await writeFile(part + "/" + index, "content");
    });
    process.stdout.write(String((await readdir(folder)).length));
  `;
  const counts = await Promise.all([1, 2, 3, 4].map(async () => await runScript(script)));
  expect(counts).toEqual(["50", "50", "50", "50"]);
  expect(await readFile(join(root, "fills"), "utf8")).toBe("x");
});

async function runScript(script: string): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  await once(child, "close");
  return output;
}
