import { cacheFolder, startKafka } from "@bus/tools-brokers";
import type { IAdminClient, KafkaConsumer, Producer } from "@confluentinc/kafka-javascript";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { ADDON_FILES } from "./build-addon.ts";
import { ensureConfluentAddon } from "./index.ts";

/** Building takes minutes; every later run finds the addon in the cache. */
const BUILD_TIMEOUT_MS = 1_800_000;
const PROGRAM = join(import.meta.dirname, "main.ts");
let root: string;
let packageFolder: string;

beforeAll(async () => {
  ({ packageFolder } = await ensureConfluentAddon());
  root = await mkdtemp(join(tmpdir(), "bus-addon-test-"));
}, BUILD_TIMEOUT_MS);

afterAll(async () => await rm(root, { recursive: true, force: true }));

/** The package as an installation leaves it that has not run its install script: no addon, its dependencies beside it. */
async function freshCopy(name: string): Promise<string> {
  const modules = join(root, name, "node_modules");
  const copy = join(modules, "@confluentinc", "kafka-javascript");
  await cp(packageFolder, copy, {
    recursive: true,
    filter: (from) => from !== join(packageFolder, "build"),
  });
  const siblings = dirname(dirname(packageFolder));
  for (const sibling of await readdir(siblings)) {
    if (sibling !== "@confluentinc") await symlink(join(siblings, sibling), join(modules, sibling));
  }
  return copy;
}

test("an addon that is in place is left alone", async () => {
  expect(await ensureConfluentAddon()).toEqual({ origin: "in place", packageFolder });
});

test(
  "a fresh installation gets the addon without a download, and loads",
  async () => {
    const copy = await freshCopy("fresh");
    const said: string[] = [];
    const prepared = await ensureConfluentAddon({
      packageFolder: copy,
      say: (line) => void said.push(line),
    });
    expect(prepared.origin).not.toBe("in place");
    expect(ADDON_FILES.map((file) => existsSync(join(copy, file)))).toEqual([true, true, true]);
    expect(said.at(-1)).toMatch(
      /^copying confluent-addon-1\.10\.1-node\d+-\w+-\w+-\w+ from the cache$/,
    );
    expect(await ensureConfluentAddon({ packageFolder: copy })).toMatchObject({
      origin: "in place",
    });
  },
  BUILD_TIMEOUT_MS,
);

test(
  "four processes that prepare the same installation at once all succeed",
  async () => {
    const copy = await freshCopy("shared");
    const script = `import { ensureConfluentAddon } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    await ensureConfluentAddon({ packageFolder: ${JSON.stringify(copy)} });`;
    const statuses = await Promise.all(
      [1, 2, 3, 4].map(
        async () =>
          (await run(["--conditions=@bus/source", "--input-type=module", "-e", script])).status,
      ),
    );
    expect(statuses).toEqual([0, 0, 0, 0]);
    expect(await readdir(join(copy, "build", "Release"))).toEqual([
      "confluent-kafka-javascript.node",
    ]);
  },
  BUILD_TIMEOUT_MS,
);

test("an addon in the cache that does not load is built anew, and where nothing can be built the error says what is missing", async () => {
  const copy = await freshCopy("broken");
  const cache = join(root, "broken-cache");
  const said: string[] = [];
  const entry = await cacheEntry();
  vi.stubEnv("XDG_CACHE_HOME", cache);
  vi.stubEnv("PATH", "/nowhere");
  try {
    await fillWithRubbish(join(cache, "bus-brokers", entry));
    const prepared = ensureConfluentAddon({
      packageFolder: copy,
      say: (line) => void said.push(line),
    });
    await expect(prepared).rejects.toMatchObject({
      code: "PACKAGES_MISSING",
      message: "the build needs g++, make, python3; install them: apt-get install g++ make python3",
    });
  } finally {
    vi.unstubAllEnvs();
  }
  expect(said.slice(1)).toEqual(["the addon in the cache does not load here"]);
});

test("a producer and a consumer of the callback API pass messages through a real broker", async () => {
  // Not at the top: it cannot be loaded before it has been prepared.
  const { AdminClient, KafkaConsumer, Producer } = await import("@confluentinc/kafka-javascript");
  await using cluster = await startKafka();
  const config = { "bootstrap.servers": cluster.brokers.join(",") };
  await createTopic(AdminClient.create(config), "flights");

  const producer = new Producer({ ...config, dr_cb: true, "enable.idempotence": true });
  await connected(producer);
  const offsets: number[] = [];
  const reported = new Promise<void>((resolve, reject) => {
    producer.on("delivery-report", (error, report) => {
      if (error !== null) reject(error);
      else if (offsets.push(report.offset) === 3) resolve();
    });
  });
  producer.setPollInterval(10);
  for (const value of ["ORD", "DFW", "MLB"])
    producer.produce("flights", 0, Buffer.from(value), "key");
  await reported;
  expect(offsets).toEqual([0, 1, 2]);

  const consumer = new KafkaConsumer(
    { ...config, "group.id": "test", "enable.auto.commit": false },
    { "auto.offset.reset": "earliest" },
  );
  await connected(consumer);
  const received: string[] = [];
  const all = new Promise<void>((resolve) => {
    consumer.on("data", ({ offset, key, value }) => {
      if (received.push(`${offset} ${String(key)} ${String(value)}`) === 3) resolve();
    });
  });
  consumer.subscribe(["flights"]);
  consumer.consume();
  await all;
  expect(received).toEqual(["0 key ORD", "1 key DFW", "2 key MLB"]);

  await new Promise((resolve) => consumer.disconnect(resolve));
  await new Promise((resolve) => producer.disconnect(5_000, resolve));
});

test("the command line explains itself, and an argument that it does not know ends with status 2", async () => {
  expect(await run([PROGRAM, "--help"])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("Takes no options") as string,
  });
  expect(await run([PROGRAM, "--force"])).toEqual({
    status: 2,
    stdout: "",
    stderr: "confluent-addon: unexpected argument --force (see --help)\n",
  });
  expect(await run([PROGRAM])).toEqual({
    status: 0,
    stdout: "confluent-addon: @confluentinc/kafka-javascript loads, nothing to do\n",
    stderr: "",
  });
});

async function run(
  args: readonly string[],
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  return { status: child.exitCode, stdout, stderr };
}

async function createTopic(admin: IAdminClient, topic: string): Promise<void> {
  const failure = await new Promise((resolve) =>
    admin.createTopic({ topic, num_partitions: 1, replication_factor: 1 }, 10_000, resolve),
  );
  admin.disconnect();
  expect(failure ?? undefined).toBeUndefined();
}

async function connected(client: Producer | KafkaConsumer): Promise<void> {
  const failure = await new Promise((resolve) => client.connect({ timeout: 10_000 }, resolve));
  expect(failure ?? undefined).toBeUndefined();
}

/** What the cache calls the addon for this Node. */
async function cacheEntry(): Promise<string> {
  const entry = (await readdir(cacheFolder())).find(
    (name) =>
      name.startsWith("confluent-addon-") && name.includes(`-node${process.versions.modules}-`),
  );
  if (entry === undefined) throw new Error(`no addon in ${cacheFolder()}`);
  return entry;
}

async function fillWithRubbish(folder: string): Promise<void> {
  for (const file of ADDON_FILES) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), "no library");
  }
}
