import type { Clock } from "../contracts/clock.ts";
import type { Instruments } from "../contracts/instruments.ts";
import type { Logger } from "../contracts/logger.ts";
import type { PublishFunction } from "../contracts/plugin.ts";
import type { Transport } from "../contracts/transport.ts";
import { BUS_METRICS } from "../observe/bus-metrics.ts";
import { BusReporter } from "../observe/bus-reporter.ts";
import { CORE_VERSION } from "../observe/core-version.ts";
import { BusDiagnostics } from "../observe/diagnostics.ts";
import { createInstruments } from "../observe/instruments.ts";
import { LoopGuard } from "../observe/loop-guard.ts";
import { ObserverHub } from "../observe/observer-hub.ts";
import { measurePublish } from "../publish/publish-path.ts";
import { BUS_DEFAULTS } from "./bus-options.ts";
import type { ResolvedBusOptions } from "./bus-options.ts";
import { PathContributions, Services } from "./plugin-host.ts";

/** What the parts of one bus share. */
export interface BusCore {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly instruments: Instruments;
  readonly hub: ObserverHub;
  readonly reporter: BusReporter;
  readonly diagnostics: BusDiagnostics;
  readonly loopGuard: LoopGuard;
  readonly services: Services;
  readonly paths: PathContributions;
  readonly transport: Transport;
  /** The composed publish path; complete once every plugin is installed. */
  readonly publish: PublishFunction;
}

/** Make the shared parts of a bus; the transport is created, not connected. */
export function createBusCore({
  clock,
  logger,
  random,
  transport: configured,
  loopBlockedAfterMs,
}: ResolvedBusOptions): BusCore {
  const instruments = createInstruments();
  instruments.gauge(BUS_METRICS.buildInfo, { version: CORE_VERSION }).set(1);
  const hub = new ObserverHub(logger);
  const reporter = new BusReporter({ clock, logger, instruments, hub });
  const emit = reporter.transportEvent.bind(reporter);
  const transport = configured.create({ clock, logger, instruments, random, emit });
  const diagnostics = new BusDiagnostics(transport.name);
  hub.add(diagnostics.observer());
  const paths = new PathContributions();
  const send: PublishFunction = (messages) => transport.publish(messages);
  const innermost = measurePublish(diagnostics.tracePublish(send), { clock, instruments, hub });
  let composed: PublishFunction | undefined;
  // Composed on first use, when every plugin has had its say, and never again.
  const publish: PublishFunction = (messages) =>
    (composed ??= paths.composePublish(innermost))(messages);
  return {
    clock,
    logger,
    random,
    instruments,
    hub,
    reporter,
    diagnostics,
    loopGuard: new LoopGuard({
      clock,
      logger,
      instruments,
      blockedAfterMs: loopBlockedAfterMs ?? loopLimitMs(transport),
    }),
    services: new Services(),
    paths,
    transport,
    publish,
  };
}

/** A third of what the group waits for a silent member, so that a block is told before it costs the membership. */
function loopLimitMs({ capabilities }: Transport): number {
  const sessionTimeoutMs = capabilities.membership?.sessionTimeoutMs;
  if (sessionTimeoutMs === undefined) return BUS_DEFAULTS.loopBlockedAfterMs;
  return Math.max(BUS_DEFAULTS.loopBlockedAfterMinMs, Math.floor(sessionTimeoutMs / 3));
}
