import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "@bus/core/adapter";
import { until } from "@bus/testkit";
import { startNats } from "@bus/tools-brokers";
import type { NatsCluster } from "@bus/tools-brokers";

import { BucketLeaseStore } from "../src/client/bucket-lease-store.ts";
import { ClientLink } from "../src/client/client-link.ts";
import { JetStreamApi } from "../src/client/jetstream-api.ts";
import { openConnection } from "../src/client/open-connection.ts";
import type { Lease, LeaseListener } from "../src/leases/lease-contract.ts";
import { PartitionLeases } from "../src/leases/partition-leases.ts";
import { NATS_DEFAULTS } from "../src/nats-defaults.ts";

const RENEW_MS = 500;
const EXPIRE_MS = 2_000;
const SETUPS = [
  { version: "2.15.2", nodes: 1 },
  { version: "2.9.10", nodes: 1 },
  { version: "2.15.2", nodes: 3 },
  { version: "2.9.10", nodes: 3 },
] as const;

/** Who owns what now, over all members of a test; two owners of one partition fail it. */
class Owners {
  readonly problems: string[] = [];
  readonly #owners = new Map<number, { readonly name: string; readonly epoch: number }>();
  readonly #epochs = new Map<number, number>();

  begin(name: string, { partition, epoch }: Lease): void {
    const other = this.#owners.get(partition);
    if (other !== undefined)
      this.problems.push(`${name} has ${partition} at ${epoch} beside ${other.name}`);
    if (epoch <= (this.#epochs.get(partition) ?? 0))
      this.problems.push(`epoch ${epoch} of ${partition} began twice`);
    this.#epochs.set(partition, epoch);
    this.#owners.set(partition, { name, epoch });
  }

  end(name: string, { partition }: Lease): void {
    if (this.#owners.get(partition)?.name === name) this.#owners.delete(partition);
  }
}

class Member implements LeaseListener, AsyncDisposable {
  readonly owned = new Set<Lease>();
  readonly leases: PartitionLeases;
  readonly link: ClientLink;
  readonly #name: string;
  readonly #owners: Owners;

  private constructor(name: string, link: ClientLink, parts: { owners: Owners; replicas: number }) {
    this.#name = name;
    this.#owners = parts.owners;
    this.link = link;
    const clock = systemClock;
    const api = new JetStreamApi(link, { clock, random: Math.random });
    this.leases = new PartitionLeases({
      group: "billing.eu",
      id: `${name}-${link.createInbox().split(".").at(-1)}`,
      clock,
      store: new BucketLeaseStore({ api, link, clock, bucket: "leases", replicas: parts.replicas }),
      options: { renewMs: RENEW_MS, expireMs: EXPIRE_MS },
      listener: this,
    });
  }

  static async join(
    cluster: NatsCluster,
    name: string,
    parts: { owners: Owners; partitions: number },
  ): Promise<Member> {
    const options = { ...NATS_DEFAULTS, servers: cluster.servers };
    const link = new ClientLink({
      clock: systemClock,
      open: async () => await openConnection(options, Math.random),
      onGone: () => undefined,
      isOwner: true,
    });
    await link.open();
    const member = new Member(name, link, {
      owners: parts.owners,
      replicas: cluster.nodes.length,
    });
    member.leases.setTopics([{ topic: "orders.new", partitions: parts.partitions }]);
    await member.leases.start();
    return member;
  }

  acquired(lease: Lease): void {
    this.owned.add(lease);
    this.#owners.begin(this.#name, lease);
  }

  async revoked(lease: Lease): Promise<number | undefined> {
    await sleep(20);
    this.#end(lease);
    return lease.epoch * 1_000;
  }

  lost(lease: Lease): void {
    this.#end(lease);
  }

  failed(): void {
    // Outages are part of the tests.
  }

  /** As when the process is killed: nothing is told, and nothing renewed any more. */
  async crash(): Promise<void> {
    await this.link.close();
    for (const lease of this.owned) this.#end(lease);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leases.close();
    await this.link.close();
  }

  #end(lease: Lease): void {
    this.owned.delete(lease);
    this.#owners.end(this.#name, lease);
  }
}

const shares = (...members: readonly Member[]): string =>
  members.map(({ owned }) => owned.size).join(" ");

for (const { version, nodes } of SETUPS) {
  const name = `nats ${version}, ${nodes} node${nodes > 1 ? "s" : ""}`;

  test(`${name}: partitions follow members that join, leave and crash, and never have two owners`, async () => {
    await using cluster = await startNats({ version, nodes });
    const owners = new Owners();
    const parts = { owners, partitions: 7 };
    await using first = await Member.join(cluster, "a", parts);
    await until(() => shares(first) === "7", { timeoutMs: 10_000, what: "shares" });
    await using second = await Member.join(cluster, "b", parts);
    await until(() => shares(first, second) === "4 3", { timeoutMs: 10_000, what: "shares" });
    expect([...second.owned].map(({ floor, epoch }) => [floor, epoch])).toEqual([
      [1_000, 2],
      [1_000, 2],
      [1_000, 2],
    ]);
    const third = await Member.join(cluster, "c", parts);
    await until(
      () =>
        [3, 2].includes(third.owned.size) &&
        first.owned.size + second.owned.size + third.owned.size === 7,
      { timeoutMs: 10_000, what: "shares" },
    );
    const leftAtMs = performance.now();
    await third[Symbol.asyncDispose]();
    await until(() => first.owned.size + second.owned.size === 7, {
      timeoutMs: 10_000,
      what: "shares",
    });
    expect(performance.now() - leftAtMs).toBeLessThan(EXPIRE_MS);
    const crashedAtMs = performance.now();
    await second.crash();
    await until(() => shares(first) === "7", {
      timeoutMs: 20_000,
      what: "the shares of a member that crashed",
    });
    expect(performance.now() - crashedAtMs).toBeGreaterThan(EXPIRE_MS * 0.7);
    expect(owners.problems).toEqual([]);
  });
}

for (const version of ["2.15.2", "2.9.10"] as const)
  test(`nats ${version}: members without a server for longer than leases last stop, and share again when it is back`, async () => {
    await using cluster = await startNats({ version });
    const owners = new Owners();
    const parts = { owners, partitions: 6 };
    await using first = await Member.join(cluster, "a", parts);
    await using second = await Member.join(cluster, "b", parts);
    await until(() => shares(first, second) === "3 3", { timeoutMs: 10_000, what: "shares" });
    await cluster.kill(1);
    await until(() => shares(first, second) === "0 0", { timeoutMs: 10_000, what: "shares" });
    await cluster.restart(1);
    await until(() => shares(first, second) === "3 3", {
      timeoutMs: 30_000,
      what: "shares after the outage",
    });
    expect(owners.problems).toEqual([]);
  });
