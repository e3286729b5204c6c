import { defineTransport } from "@bus/core";
import type { TransportDefinition } from "@bus/core";
import { MEMORY_OPTIONS } from "./memory-options.ts";
import type { MemoryOptions } from "./memory-options.ts";
import { MemoryTransport } from "./memory-transport.ts";

/**
 * The in-process transport: `memory()` has a broker of its own, `memory({ broker })` shares one.
 *
 * @throws BusConfigError `BUS_CONFIG` for wrong or unknown options.
 */
export const memory: TransportDefinition<MemoryOptions> = defineTransport({
  name: "memory",
  options: MEMORY_OPTIONS,
  create: (options, host) => new MemoryTransport(options, host),
});
