import { appendFile, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { BrokersError } from "../brokers-error.ts";
import type { GuardedProcess } from "./guarded-process.ts";

const PROBE_INTERVAL_MS = 50;
const STOP_TIMEOUT_MS = 20_000;

/** How one broker of a cluster is started and recognised as ready. */
export interface NodeRecipe {
  /** 1-based number, the broker's own id. */
  readonly id: number;
  /** Where its stdout and stderr are appended. */
  readonly logFile: string;
  /** Start the program. */
  launch(): Promise<GuardedProcess>;
  /** True once the broker answers a real request; false while it does not. */
  isReady(): Promise<boolean>;
}

/** Faults on the processes of a cluster. Nodes are numbered from 1. */
export interface ProcessFaults {
  /** SIGKILL; resolves when the process is gone. */
  kill(node: number): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(node: number): Promise<void>;
  /** SIGCONT. */
  resume(node: number): Promise<void>;
  /** Stop in order (SIGTERM) when it still runs, start again on the same data and ports; resolves when it answers. */
  restart(node: number): Promise<void>;
  /** SIGTERM, so that the broker hands over in order; SIGKILL when that takes more than 20 s. */
  stopNode(node: number): Promise<void>;
}

/** The processes of one cluster: started together, ended together, hurt one by one. */
export class NodeProcesses implements ProcessFaults {
  readonly #recipes: ReadonlyMap<number, NodeRecipe>;
  readonly #running = new Map<number, GuardedProcess>();
  readonly #readyTimeoutMs: number;

  constructor(recipes: readonly NodeRecipe[], readyTimeoutMs: number) {
    this.#recipes = new Map(recipes.map((recipe) => [recipe.id, recipe]));
    this.#readyTimeoutMs = readyTimeoutMs;
  }

  /** Start every node; resolves when all of them are ready. */
  async startAll(): Promise<void> {
    await Promise.all([...this.#recipes.keys()].map(async (node) => await this.#start(node)));
  }

  async kill(node: number): Promise<void> {
    const running = this.#requireRunning(node);
    running.signal("SIGKILL");
    await running.exited;
  }

  async pause(node: number): Promise<void> {
    this.#requireRunning(node).signal("SIGSTOP");
  }

  async resume(node: number): Promise<void> {
    this.#requireRunning(node).signal("SIGCONT");
  }

  async stopNode(node: number): Promise<void> {
    const running = this.#requireRunning(node);
    const giveUp = new AbortController();
    running.signal("SIGCONT"); // a stopped process keeps SIGTERM pending for ever
    running.signal("SIGTERM");
    const late = sleep(STOP_TIMEOUT_MS, "late", { signal: giveUp.signal }).catch(() => "ended");
    if ((await Promise.race([running.exited, late])) === "late") running.signal("SIGKILL");
    await running.exited;
    giveUp.abort();
  }

  async restart(node: number): Promise<void> {
    this.#recipe(node);
    if (this.#running.has(node)) await this.stopNode(node);
    await this.#start(node);
  }

  /** Everything the node has written so far, over all its starts. */
  async logs(node: number): Promise<string> {
    return await readFile(this.#recipe(node).logFile, "utf8");
  }

  /** Process id of the broker, or undefined while it does not run. */
  pid(node: number): number | undefined {
    this.#recipe(node);
    return this.#running.get(node)?.pid;
  }

  /** End every process at once, without ceremony: the data is thrown away anyway. */
  async close(): Promise<void> {
    const running = [...this.#running.values()];
    for (const each of running) each.signal("SIGKILL");
    await Promise.all(running.map(async (each) => await each.exited));
  }

  async #start(node: number): Promise<void> {
    const recipe = this.#recipe(node);
    await appendFile(recipe.logFile, "");
    const started = await recipe.launch();
    this.#running.set(node, started);
    let status: number | undefined;
    void started.exited.then((code) => {
      status = code;
      if (this.#running.get(node) === started) this.#running.delete(node);
    });
    const deadline = performance.now() + this.#readyTimeoutMs;
    while (status === undefined && performance.now() < deadline) {
      if (await recipe.isReady()) return;
      await sleep(PROBE_INTERVAL_MS);
    }
    const what =
      status === undefined
        ? `was not ready after ${this.#readyTimeoutMs} ms`
        : `ended with status ${status}`;
    throw new BrokersError(
      "START_FAILED",
      `node ${node} ${what}: ${lastLines(await this.logs(node))}`,
    );
  }

  #recipe(node: number): NodeRecipe {
    const recipe = this.#recipes.get(node);
    if (recipe !== undefined) return recipe;
    throw new BrokersError(
      "INVALID",
      `node must be one of ${[...this.#recipes.keys()].join(", ")}, got ${node}`,
    );
  }

  #requireRunning(node: number): GuardedProcess {
    this.#recipe(node);
    const running = this.#running.get(node);
    if (running === undefined) throw new BrokersError("INVALID", `node ${node} does not run`);
    return running;
  }
}

function lastLines(log: string): string {
  const errors = log
    .split("\n")
    .filter((line) => /\b(error|fatal|exception|not found|in use)\b/i.test(line));
  return (errors.length === 0 ? log.split("\n") : errors).slice(-3).join(" | ").slice(0, 600);
}
