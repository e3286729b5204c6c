import { resolveBrokerOptions } from "./broker-options.ts";
import type { MemoryBrokerOptions } from "./broker-options.ts";
import { InProcessBroker } from "./in-process-broker.ts";
import type { MemoryBroker } from "./in-process-broker.ts";

/**
 * Make a broker for several buses of this process: `memory({ broker })`. Same seed and same calls, same order of deliveries.
 *
 * @throws BusConfigError `BUS_CONFIG` for wrong or unknown options.
 */
export function memoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  return new InProcessBroker(resolveBrokerOptions(options));
}
