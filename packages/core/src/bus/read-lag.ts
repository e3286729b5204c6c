import type { GroupLag, LagQuery } from "../contracts/lag.ts";
import { BusConfigError } from "../errors/bus-error.ts";
import type { ResolvedBusOptions } from "./bus-options.ts";
import type { BusRuntimeParts } from "./bus-runtime.ts";

/** Read a group's lag; by default that of the bus's own group over every topic that it handles there. */
export function readLag(
  { core, subscriptions }: BusRuntimeParts,
  options: ResolvedBusOptions,
  query: Partial<LagQuery> = {},
): Promise<GroupLag> {
  const { lag } = core.transport.capabilities;
  const group = query.group ?? options.group;
  if (lag === undefined) {
    throw new BusConfigError(
      "BUS_UNSUPPORTED",
      `transport ${core.transport.name} has no capability lag`,
      {
        details: { transport: core.transport.name, capability: "lag" },
      },
    );
  }
  if (group === undefined) {
    throw new BusConfigError("BUS_CONFIG", "group is required to read lag, got undefined", {
      details: { path: "group" },
    });
  }
  const handled = subscriptions
    .active()
    .flatMap(({ spec }) => (spec.group === group ? [spec.topic] : []));
  return lag.read({ ...query, group, topics: query.topics ?? handled });
}
