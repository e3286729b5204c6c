import { BusConfigError } from "@bus/core";
import type { TransportHost } from "@bus/core";
import type { JetStreamApi } from "./client/jetstream-api.ts";
import type { NatsLink } from "./client/nats-link.ts";
import type { PartitionLeasing } from "./consume/partition-member.ts";
import type { LeaseListener } from "./leases/lease-contract.ts";
import type { ResolvedNatsOptions } from "./nats-options.ts";

/** What leasing of a group is made of. */
export interface LeasingParts {
  readonly group: string;
  readonly listener: LeaseListener;
  readonly api: JetStreamApi;
  readonly link: NatsLink;
  readonly host: TransportHost;
  readonly options: ResolvedNatsOptions;
}

/** Make what divides the partitions of a group. */
export function createLeasing(_parts: LeasingParts): PartitionLeasing {
  throw new BusConfigError("BUS_UNSUPPORTED", "partitions are not there yet", {
    details: { path: "partitions" },
  });
}
