import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";

import { cacheFolder, startNats } from "../index.ts";

const PROGRAM = join(import.meta.dirname, "..", "main.ts");
let cache: string;

/** A cache of our own, so that brokers of other command lines are neither seen nor stopped, with the program of the real one. */
beforeAll(async () => {
  await (await startNats({ version: "2.15.2", provider: "local" })).close();
  cache = await mkdtemp(join(tmpdir(), "bus-cli-test-"));
  await mkdir(join(cache, "bus-brokers"));
  for (const name of await readdir(cacheFolder())) {
    if (name.startsWith("nats-server-"))
      await symlink(join(cacheFolder(), name), join(cache, "bus-brokers", name));
  }
});

afterAll(async () => {
  await brokers("stop");
  await rm(cache, { recursive: true });
});

function start(
  line: string,
): ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  return spawn(process.execPath, [PROGRAM, ...line.split(" ")], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function brokers(
  line: string,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = start(line);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  return { status: child.exitCode, stdout, stderr };
}

test("brokers in the background are ready when the command returns, are listed, and end with stop", async () => {
  const started = await brokers("start nats --nodes 3 --detach");
  expect(started).toMatchObject({ status: 0, stderr: "" });
  const urls = /export NATS_URL=(.+)/.exec(started.stdout)?.[1]?.split(",") ?? [];
  expect(urls).toHaveLength(3);
  const listed = await brokers("status");
  expect(listed.stdout).toMatch(
    /^nats 2\.15\.2, 3 nodes, local, ready after \d+ ms, process \d+\n/,
  );
  for (const url of urls) expect(listed.stdout).toContain(`${url} answers`);
  expect((await brokers("stop kafka")).stdout).toBe("no kafka runs\n");
  expect((await brokers("stop nats")).stdout).toMatch(/^stopped: nats 2\.15\.2, 3 nodes/);
  expect(await brokers("status")).toEqual({ status: 0, stdout: "no broker runs\n", stderr: "" });
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "brokers in the foreground end in order with %s",
  async (signal) => {
    const child = start("start nats");
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (line === "Ctrl-C stops it") child.kill(signal);
    }
    expect(lines.at(-1)).toBe("nats stopped");
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
    expect((await brokers("status")).stdout).toBe("no broker runs\n");
  },
);

test("brokers whose holder was killed are not listed, and stop does not wait for them", async () => {
  const child = start("start nats");
  for await (const line of createInterface(child.stdout)) {
    if (line === "Ctrl-C stops it") child.kill("SIGKILL");
  }
  expect((await brokers("status")).stdout).toBe("no broker runs\n");
  expect((await brokers("stop")).stdout).toBe("no broker runs\n");
});

test("what cannot be started is said in one line, in the background too", async () => {
  const env = { ...process.env, XDG_CACHE_HOME: cache, NATS_URL: "nats://127.0.0.1:1" };
  const child = spawn(process.execPath, [PROGRAM, "start", "nats", "--detach"], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  expect([child.exitCode, stderr]).toEqual([
    1,
    "brokers: no server answers at NATS_URL=nats://127.0.0.1:1\n",
  ]);
});

test("a command line that makes no sense ends with status 2 and one line", async () => {
  expect(await brokers("start kafka --nodes 2")).toEqual({
    status: 2,
    stdout: "",
    stderr: "brokers: --nodes must be 1 or 3, got 2 (see --help)\n",
  });
});
