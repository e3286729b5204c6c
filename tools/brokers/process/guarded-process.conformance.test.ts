import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { startGuarded } from "./guarded-process.ts";

const ENTRY = join(import.meta.dirname, "..", "index.ts");
const GONE = { timeout: 5_000, interval: 20 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bus-guard-test-"));
});

afterEach(async () => await rm(folder, { recursive: true, force: true }));

/** False for a process that is gone, and for one that is dead and only waits for its parent to notice. */
async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "gone) Z ");
  return !/\) Z /.test(stat);
}

/** Every process whose command line contains this text. */
async function processesWith(text: string): Promise<number[]> {
  const pids = (await readdir("/proc"))
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const found = await Promise.all(
    pids.map(
      async (pid) =>
        (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(text) &&
        (await runs(pid)),
    ),
  );
  return pids.filter((_, index) => found[index]);
}

/** Run a script in a process of its own and return the first line that it prints, as JSON. */
async function parentThat(
  script: string,
): Promise<{ parent: ChildProcess; line: Record<string, unknown> }> {
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface(parent.stdout), "line")) as [string];
  return { parent, line: JSON.parse(line) as Record<string, unknown> };
}

test("the process id is the program's own, its output is in the log, and its exit status is reported", async () => {
  const logFile = join(folder, "log");
  const started = await startGuarded({
    command: ["/bin/sh", "-c", 'echo "$$"; echo trouble >&2; exit 3'],
    logFile,
    removeOnOrphan: folder,
  });
  expect(await started.exited).toBe(3);
  expect(await readFile(logFile, "utf8")).toBe(`${started.pid}\ntrouble\n`);
  await started.signal("SIGKILL");
  expect(existsSync(folder)).toBe(true);
});

test("a program that a signal ends reports 128 and the number of the signal, and no guard stays behind", async () => {
  const started = await startGuarded({
    command: ["sleep", "600"],
    logFile: join(folder, "log"),
    removeOnOrphan: folder,
  });
  await started.signal("SIGTERM");
  expect(await started.exited).toBe(143);
  expect(await processesWith(folder)).toEqual([]);
});

test("a program that does not exist ends with 127 and says so in its log", async () => {
  const logFile = join(folder, "log");
  const started = await startGuarded({
    command: ["no-such-program"],
    logFile,
    removeOnOrphan: folder,
  });
  expect(await started.exited).toBe(127);
  expect(await readFile(logFile, "utf8")).toMatch(/no-such-program.*not found/);
});

test("when the parent is killed its brokers, their guards and their data go with it, a paused broker too", async () => {
  const { parent, line } = await parentThat(`
    import { startKafka, startNats } from ${JSON.stringify(ENTRY)};
    const [kafka, nats] = await Promise.all([startKafka({ provider: "local" }), startNats({ nodes: 3, provider: "local" })]);
    await nats.pause(2);
    console.log(JSON.stringify({ kafka: kafka.pid(1), nats: [1, 2, 3].map((node) => nats.pid(node)) }));
  `);
  const pids = [line["kafka"], ...(line["nats"] as unknown[])] as number[];
  const folders = await Promise.all(
    [pids[0], pids[1]].map(async (pid) => await clusterFolderOf(pid)),
  );
  expect(await Promise.all(pids.map(async (pid) => await runs(pid)))).toEqual([
    true,
    true,
    true,
    true,
  ]);
  parent.kill("SIGKILL");
  await once(parent, "exit");
  await vi.waitFor(
    async () =>
      expect(await Promise.all(pids.map(async (pid) => await runs(pid)))).toEqual([
        false,
        false,
        false,
        false,
      ]),
    GONE,
  );
  await vi.waitFor(
    () => expect(folders.map((each) => existsSync(each))).toEqual([false, false]),
    GONE,
  );
  await vi.waitFor(
    async () =>
      expect(await Promise.all(folders.map(async (each) => await processesWith(each)))).toEqual([
        [],
        [],
      ]),
    GONE,
  );
});

test.each([
  "process.exit(0)",
  'process.kill(process.pid, "SIGTERM")',
  'throw new Error("uncaught")',
])("a parent that ends by %s without closing its broker takes it along", async (end) => {
  const { parent, line } = await parentThat(`
    import { startNats } from ${JSON.stringify(ENTRY)};
    const nats = await startNats({ provider: "local" });
    process.stdout.write(JSON.stringify({ pid: nats.pid(1) }) + "\\n", () => { ${end} });
  `);
  if (parent.exitCode === null && parent.signalCode === null) await once(parent, "exit");
  await vi.waitFor(async () => expect(await runs(Number(line["pid"]))).toBe(false), GONE);
});

async function clusterFolderOf(pid: number | undefined): Promise<string> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
  return /(\/\S*bus-(?:kafka|nats)-[^/\0]+)\//.exec(commandLine)?.[1] ?? "";
}
