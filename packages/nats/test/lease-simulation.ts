import { setImmediate } from "node:timers/promises";
import type { Lease, LeaseListener } from "../src/leases/lease-contract.ts";
import type { LeaseStore, StoredEntry } from "../src/leases/lease-store.ts";
import { PartitionLeases } from "../src/leases/partition-leases.ts";
import { Bucket, OwnClock, World } from "./lease-world.ts";

/** Silence after which a process counts as gone. */
export const EXPIRE_MS = 3_000;
/** How often a process renews its record. */
export const RENEW_MS = 1_000;
const STEP_MS = 100;

/** A request on its way: it reaches the bucket or not, and its answer reaches the process or not, at any time later. */
interface Request {
  readonly process: Process;
  readonly apply: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

class Process implements LeaseListener {
  readonly leases: PartitionLeases;
  readonly clock: OwnClock;
  events: (() => void)[] = [];
  answers: (() => void)[] = [];
  readonly believed: Set<Lease> = new Set<Lease>();
  readonly acquisitions: Lease[] = [];
  drains: (() => void)[] = [];
  isFrozen = false;
  isCutOff = false;
  /** Its answers are on their way. */
  isDeaf = false;
  isDead = false;
  isLeaving = false;

  constructor(simulation: Simulation, id: number) {
    this.clock = new OwnClock(simulation.world, [1, 0.97, 1.03][id % 3] ?? 1);
    this.leases = new PartitionLeases({
      group: "g",
      id: `n${id}`,
      clock: this.clock,
      store: simulation.storeOf(this),
      options: { renewMs: RENEW_MS, expireMs: EXPIRE_MS },
      listener: this,
    });
  }

  acquired(lease: Lease): void {
    this.believed.add(lease);
    this.acquisitions.push(lease);
  }

  async revoked(lease: Lease): Promise<number | undefined> {
    await new Promise<void>((resolve) => this.drains.push(resolve));
    this.believed.delete(lease);
    return lease.epoch * 100;
  }

  lost(lease: Lease): void {
    this.believed.delete(lease);
  }

  failed(): void {
    // Failures are what the simulation makes.
  }

  /** What it believes to own now, also when it cannot run. */
  owned(): readonly Lease[] {
    return [...this.believed].filter((lease) => this.leases.owns(lease));
  }
}

/** What befalls a process. */
export type Happening =
  | "leave"
  | "crash"
  | "freeze"
  | "thaw"
  | "cutOff"
  | "reconnect"
  | "deafen"
  | "hear";

/** One step of a script. */
export type Step =
  | { readonly kind: "run"; readonly ms: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "requests"; readonly count: number; readonly fate: RequestFate }
  | { readonly kind: "answers"; readonly count: number }
  | { readonly kind: "events"; readonly count: number }
  | { readonly kind: "drain" }
  | { readonly kind: "join" }
  | { readonly kind: "happen"; readonly what: Happening; readonly which: number };

/** What becomes of a request: it is carried out and answered; only one of both; or it fails now and is carried out later. */
export type RequestFate = "done" | "lost" | "unanswered" | "late";

/** Processes that divide partitions, under a script. */
export class Simulation {
  readonly world: World = new World();
  readonly bucket: Bucket = new Bucket();
  readonly processes: Process[] = [];
  partitions: number;
  /** Reads are behind by so many versions. */
  behind = 1;
  #requests: Request[] = [];
  #late: Request[] = [];
  #epochs = new Map<number, number>();
  takeOvers = 0;

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  storeOf(process: Process): LeaseStore {
    const request = async (apply: () => unknown): Promise<unknown> =>
      await new Promise((resolve, reject) => {
        if (process.isCutOff) reject(new Error("not connected"));
        else this.#requests.push({ process, apply, resolve, reject });
      });
    return {
      // The simulation answers with what the request returns.
      read: async (key) =>
        (await request(() => this.bucket.read(key, this.behind))) as StoredEntry | undefined,
      write: async (key, value, revision) =>
        (await request(() => this.bucket.put(key, value, revision))) as number | undefined,
      remove: async (key, revision) =>
        (await request(() => this.bucket.put(key, undefined, revision))) !== undefined,
      watch: (prefix, watcher) => {
        if (prefix !== "g.") throw new Error(`watches ${prefix}`);
        this.bucket.watch(process, watcher);
        return Promise.resolve(() => this.bucket.forget(process));
      },
    };
  }

  join(): void {
    const process = new Process(this, this.processes.length);
    this.processes.push(process);
    process.leases.setTopics([{ topic: "t", partitions: this.partitions }]);
    // A join that fails is one that the bus would try again; the simulation has others.
    process.leases.start().catch(() => this.#crash(process));
  }

  async apply(step: Step): Promise<void> {
    if (step.kind === "run") return await this.run(step.ms, 1);
    this.#do(step);
    await this.settle();
    this.judge();
  }

  async settle(): Promise<void> {
    await setImmediate();
  }

  /** At most one process believes to own a partition, and epochs only grow. */
  judge(): void {
    const owners = new Map<number, Process>();
    for (const process of this.processes.filter(({ isDead }) => !isDead))
      for (const { partition } of process.owned()) {
        if (owners.has(partition)) throw new Error(`partition ${partition} has two owners`);
        owners.set(partition, process);
      }
    for (const process of this.processes)
      for (const { partition, epoch } of process.acquisitions.splice(0)) {
        if (epoch <= (this.#epochs.get(partition) ?? 0))
          throw new Error(`epoch ${epoch} of partition ${partition} began twice`);
        this.#epochs.set(partition, epoch);
        if (epoch > 1) this.takeOvers += 1;
      }
  }

  /** Everything works, and time passes. */
  async heal(forMs: number): Promise<void> {
    this.behind = 0;
    for (const process of this.processes) this.#mend(process);
    await this.run(forMs, 4);
  }

  /** Time passes for those that run, and what is on its way arrives. */
  async run(forMs: number, rounds: number): Promise<void> {
    for (let passed = 0; passed < forMs; passed += STEP_MS) {
      this.#do({ kind: "pass", ms: STEP_MS });
      for (let round = 0; round < rounds; round += 1) {
        this.#do({ kind: "requests", count: 100, fate: "done" });
        this.#do({ kind: "answers", count: 100 });
        this.#do({ kind: "events", count: 1_000 });
        this.#do({ kind: "drain" });
        await this.settle();
        this.judge();
      }
    }
  }

  shares(): readonly number[] {
    return this.processes
      .filter(({ isDead, isLeaving }) => !isDead && !isLeaving)
      .map((process) => process.owned().length);
  }

  #do(step: Exclude<Step, { readonly kind: "run" }>): void {
    const living = this.processes.filter(({ isDead }) => !isDead);
    const running = living.filter(({ isFrozen }) => !isFrozen);
    switch (step.kind) {
      case "pass":
        this.world.nowMs += step.ms;
        for (const { clock } of running) clock.run();
        return;
      case "requests":
        for (const request of this.#requests.splice(0, step.count)) this.#meet(request, step.fate);
        for (const { apply } of step.fate === "late" ? [] : this.#late.splice(0)) apply();
        return;
      case "answers":
        for (const process of running.filter(({ isDeaf }) => !isDeaf))
          for (const answer of process.answers.splice(0, step.count)) answer();
        return;
      case "events":
        for (const process of running.filter(({ isCutOff }) => !isCutOff))
          for (const event of process.events.splice(0, step.count)) event();
        return;
      case "drain":
        for (const process of running) for (const drained of process.drains.splice(0)) drained();
        return;
      case "join":
        if (living.length < 4) this.join();
        return;
      case "happen": {
        const process = living[step.which % Math.max(living.length, 1)];
        if (process !== undefined) this.#happen(process, step.what);
      }
    }
  }

  #meet(request: Request, fate: RequestFate): void {
    const { process, apply, resolve, reject } = request;
    if (process.isCutOff) fate = "lost";
    if (fate === "late") this.#late.push(request);
    if (fate === "lost" || fate === "late")
      return void process.answers.push(() => reject(new Error("no answer")));
    const result = apply();
    process.answers.push(() =>
      fate === "done" ? resolve(result) : reject(new Error("no answer")),
    );
  }

  #happen(process: Process, kind: Happening): void {
    switch (kind) {
      case "leave":
        process.isLeaving = true;
        void process.leases.close().then(() => this.#crash(process));
        return;
      case "crash":
        return this.#crash(process);
      case "freeze":
        process.isFrozen = true;
        return;
      case "thaw":
        process.isFrozen = false;
        return process.clock.run();
      case "deafen":
        process.isDeaf = true;
        return;
      case "hear":
        process.isDeaf = false;
        return;
      case "cutOff":
        process.isCutOff = true;
        process.events = [];
        return;
      case "reconnect":
        process.isCutOff = false;
        return this.bucket.tellAll(process);
    }
  }

  #mend(process: Process): void {
    if (process.isDead) return;
    process.isFrozen = false;
    process.isDeaf = false;
    if (process.isCutOff) this.#happen(process, "reconnect");
  }

  #crash(process: Process): void {
    process.isDead = true;
    this.bucket.forget(process);
    process.events = [];
    process.answers = [];
  }
}
