import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "@bus/testkit";

const run = promisify(execFile);
const START_MS = 30_000;
const INSTALL_MS = 240_000;

/** A Prometheus that scrapes and evaluates rules every second. */
export interface Prometheus extends AsyncDisposable {
  /** Answer of the HTTP API, for example of `query?query=up`. */
  api(path: string): Promise<unknown>;
}

/**
 * Make sure that `prometheus` and `promtool` are there: Debian's package is installed when they are not.
 *
 * @throws Error saying what to install when that is not possible.
 */
export async function requirePrometheus(): Promise<void> {
  const isThere = (): boolean =>
    ["prometheus", "promtool"].every(
      (program) => spawnSync(program, ["--version"]).error === undefined,
    );
  if (isThere()) return;
  const why = "prometheus and promtool are not on the PATH; install Debian's package prometheus";
  if (process.getuid?.() !== 0) throw new Error(why);
  const install = ["install", "-y", "--no-install-recommends", "prometheus"];
  await run("apt-get", install, { timeout: INSTALL_MS }).catch((cause: unknown) => {
    throw new Error(why, { cause });
  });
  if (!isThere()) throw new Error(why);
}

/** What `promtool check rules` says; rejects when a rule is wrong. */
export async function checkRules(file: string): Promise<string> {
  return (await run("promtool", ["check", "rules", file])).stdout;
}

/** Start one on a free port of the loopback interface. */
export async function startPrometheus(target: string, rulesFile: string): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "prometheus-"));
  const config = join(folder, "prometheus.json");
  // YAML is a superset of JSON.
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: "bus", static_configs: [{ targets: [target] }] }],
    }),
  );
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    "prometheus",
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log = `${log}${chunk.toString()}`.slice(-4_000)));
  const exited = once(child, "exit");
  const prometheus: Prometheus = {
    async api(path) {
      const response = await fetch(`http://${address}/api/v1/${path}`);
      return response.json();
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
  await until(() => isReady(address), {
    timeoutMs: START_MS,
    what: "prometheus to be ready",
    state: () => log,
  });
  return prometheus;
}

async function isReady(address: string): Promise<boolean> {
  return fetch(`http://${address}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
