import type { TransportHost } from "@bus/core";
import { BucketLeaseStore } from "./client/bucket-lease-store.ts";
import type { JetStreamApi } from "./client/jetstream-api.ts";
import type { NatsLink } from "./client/nats-link.ts";
import type { PartitionLeasing } from "./consume/partition-member.ts";
import type { LeaseListener } from "./leases/lease-contract.ts";
import { PartitionLeases } from "./leases/partition-leases.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";
import { escapedToken } from "./topology/subjects.ts";

/** What leasing of a group is made of. */
export interface LeasingParts {
  readonly group: string;
  readonly listener: LeaseListener;
  readonly api: JetStreamApi;
  readonly link: NatsLink;
  readonly host: TransportHost;
  readonly options: ResolvedNatsOptions;
}

/** Make what divides the partitions of a group between processes. */
export function createLeasing(parts: LeasingParts): PartitionLeasing {
  const { api, group, host, link, listener, options } = parts;
  const { clock } = host;
  const bucket = `${escapedToken(options.durable)}-${escapedToken(options.stream.name)}-leases`;
  const { replicas } = options.stream;
  return new PartitionLeases({
    group,
    id: link.createInbox().split(".").at(-1) ?? "",
    clock,
    store: new BucketLeaseStore({ api, link, clock, bucket, replicas }),
    options: options.leases,
    listener,
  });
}
