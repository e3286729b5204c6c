import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";

import { BrokersError } from "../brokers-error.ts";
import { dataFolder, logFile, nodeFolder, startInFolder } from "./cluster-folder.ts";

test("when a port was taken in between, the cluster is started again in a new folder and the old one is removed", async () => {
  const folders: string[] = [];
  const started = await startInFolder("test", async (folder) => {
    folders.push(folder);
    if (folders.length < 3)
      throw new BrokersError(
        "START_FAILED",
        "node 1 ended with status 1: java.net.BindException: Address already in use",
      );
    return "running";
  });
  expect(started).toBe("running");
  expect(new Set(folders).size).toBe(3);
  expect(folders.map((folder) => existsSync(folder))).toEqual([false, false, true]);
  await rm(folders[2] ?? "", { recursive: true });
});

test("another failure is reported at once, with the logs kept and the data removed", async () => {
  let folder = "";
  let attempts = 0;
  const failed = startInFolder("test", async (given) => {
    folder = given;
    attempts += 1;
    const node = await nodeFolder(given, 1);
    await mkdir(dataFolder(node));
    await writeFile(logFile(node), "why it failed");
    throw new BrokersError("START_FAILED", "node 1 ended with status 1: wrong configuration");
  });
  await expect(failed).rejects.toMatchObject({
    code: "START_FAILED",
    message: expect.stringMatching(/wrong configuration; logs are kept in .+/) as string,
  });
  expect(attempts).toBe(1);
  expect([
    existsSync(logFile(`${folder}/node-1`)),
    existsSync(dataFolder(`${folder}/node-1`)),
  ]).toEqual([true, false]);
  await rm(folder, { recursive: true });
});

test("a port that is always taken is not tried for ever", async () => {
  let attempts = 0;
  let folder = "";
  const failed = startInFolder("test", async (given) => {
    attempts += 1;
    folder = given;
    throw new BrokersError("START_FAILED", "listen tcp 127.0.0.1:1: bind: address already in use");
  });
  await expect(failed).rejects.toMatchObject({ code: "START_FAILED" });
  expect(attempts).toBe(5);
  await rm(folder, { recursive: true });
});

test("a failure that left no log leaves no folder", async () => {
  let folder = "";
  const failed = startInFolder("test", async (given) => {
    folder = given;
    throw new Error("no openssl");
  });
  await expect(failed).rejects.toThrow("no openssl");
  expect(existsSync(folder)).toBe(false);
});
