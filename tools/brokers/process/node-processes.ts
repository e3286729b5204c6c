import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { BrokersError } from "../brokers-error.ts";
import type { GuardedProcess } from "./guarded-process.ts";
import { tellingLines } from "./telling-lines.ts";

const PROBE_INTERVAL_MS = 50;

/** How patient to be with the nodes of a cluster. */
export interface NodeTimeouts {
  /** How long each may take to be ready, in milliseconds. */
  readonly readyTimeoutMs: number;
  /** How long SIGTERM may take to end one before SIGKILL does, in milliseconds. */
  readonly stopTimeoutMs: number;
}

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
  readonly #timeouts: NodeTimeouts;
  #closed = false;

  constructor(recipes: readonly NodeRecipe[], timeouts: NodeTimeouts) {
    this.#recipes = new Map(recipes.map((recipe) => [recipe.id, recipe]));
    this.#timeouts = timeouts;
  }

  /**
   * Start every node; resolves when all of them are ready.
   *
   * @throws BrokersError `START_FAILED` of the node that failed first, after all of them have ended.
   */
  async startAll(): Promise<void> {
    const failures: unknown[] = [];
    await Promise.all(
      [...this.#recipes.keys()].map(async (node) => {
        try {
          await this.#start(node);
        } catch (error) {
          failures.push(error);
          await this.close(); // the others then end at once instead of waiting for a node that will not come
        }
      }),
    );
    if (failures.length > 0) throw failures[0];
  }

  async kill(node: number): Promise<void> {
    const running = this.#requireRunning(node);
    await running.signal("SIGKILL");
    await running.exited;
  }

  async pause(node: number): Promise<void> {
    await this.#requireRunning(node).signal("SIGSTOP");
  }

  async resume(node: number): Promise<void> {
    await this.#requireRunning(node).signal("SIGCONT");
  }

  async stopNode(node: number): Promise<void> {
    const running = this.#requireRunning(node);
    await running.signal("SIGTERM");
    await running.signal("SIGCONT"); // a paused process keeps SIGTERM pending until then
    const ended = new AbortController();
    const late = sleep(this.#timeouts.stopTimeoutMs, "late", { signal: ended.signal }).catch(
      () => "ended",
    );
    if ((await Promise.race([running.exited, late])) === "late") await running.signal("SIGKILL");
    await running.exited;
    ended.abort();
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

  /** Process id of the broker; undefined while it does not run, and in a container. */
  pid(node: number): number | undefined {
    this.#recipe(node);
    return this.#running.get(node)?.pid;
  }

  /** The faults and what can be read, as functions of their own, for the object that users hold. */
  faults(): ProcessFaults & Pick<NodeProcesses, "logs" | "pid"> {
    return {
      kill: async (node) => await this.kill(node),
      pause: async (node) => await this.pause(node),
      resume: async (node) => await this.resume(node),
      restart: async (node) => await this.restart(node),
      stopNode: async (node) => await this.stopNode(node),
      logs: async (node) => await this.logs(node),
      pid: (node) => this.pid(node),
    };
  }

  /** End every process at once, without ceremony: the data is thrown away anyway. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running.keys()].map(async (node) => await this.kill(node)));
  }

  async #start(node: number): Promise<void> {
    const recipe = this.#recipe(node);
    if (this.#closed)
      throw new BrokersError("INVALID", `node ${node} cannot be started, its cluster is closed`);
    const started = await recipe.launch();
    this.#running.set(node, started);
    let status: number | undefined;
    void started.exited.then((code) => {
      status = code;
      this.#running.delete(node);
    });
    if (this.#closed) await this.kill(node);
    const deadline = performance.now() + this.#timeouts.readyTimeoutMs;
    while (status === undefined && performance.now() < deadline) {
      if (await recipe.isReady()) return;
      await sleep(PROBE_INTERVAL_MS);
    }
    const what =
      status === undefined
        ? `was not ready after ${this.#timeouts.readyTimeoutMs} ms`
        : `ended with status ${status}`;
    throw new BrokersError(
      "START_FAILED",
      `node ${node} ${what}: ${tellingLines(await this.logs(node))}`,
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
