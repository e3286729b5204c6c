import type {
  Capabilities,
  ConfiguredTransport,
  Deliver,
  Delivery,
  HeaderList,
  Settlement,
  Transport,
  TransportHost,
} from "@bus/core";
import type { ConformanceFaults, ConformanceSubject, TransportOverrides } from "@bus/testkit";

/** How a transport breaks its promises. Made once per simulated process; state lives in the closure. */
export interface Breakage {
  readonly connect?: (next: Transport["connect"]) => Transport["connect"];
  readonly publish?: (next: Transport["publish"]) => Transport["publish"];
  readonly subscribe?: (next: Transport["subscribe"]) => Transport["subscribe"];
  /** Made once per subscription. */
  readonly deliver?: (next: Deliver, group: string) => Deliver;
  readonly close?: (next: Transport["close"]) => Transport["close"];
  readonly capabilities?: (capabilities: Capabilities) => Capabilities;
  /** Runs before the process is made to crash. */
  readonly crash?: () => Promise<void>;
}

/** How a whole subject breaks its promises. */
export interface BrokenSubject {
  readonly breakage?: () => Breakage;
  readonly overrides?: (overrides: TransportOverrides) => TransportOverrides;
}

/** A subject that is like `subject` but for one broken promise. */
export function broken(
  subject: ConformanceSubject,
  { breakage, overrides }: BrokenSubject,
): ConformanceSubject {
  const origins = new Map<ConfiguredTransport, Origin>();
  return {
    ...subject,
    transport: (wanted) => {
      const inner = subject.transport(overrides === undefined ? wanted : overrides(wanted ?? {}));
      const promises = breakage?.() ?? {};
      const configured = wrap(inner, promises);
      origins.set(configured, { inner, promises });
      return configured;
    },
    faults: faultsOf(subject.faults ?? {}, origins),
  };
}

interface Origin {
  readonly inner: ConfiguredTransport;
  readonly promises: Breakage;
}

/** The subject's own faults, which know nothing of the wrapping. */
function faultsOf(
  faults: ConformanceFaults,
  origins: ReadonlyMap<ConfiguredTransport, Origin>,
): ConformanceFaults {
  const { crash, disconnect, revoke, ...others } = faults;
  const innerOf = (process: ConfiguredTransport): ConfiguredTransport =>
    origins.get(process)?.inner ?? process;
  return {
    ...others,
    ...(crash && {
      crash: async (process) => {
        await origins.get(process)?.promises.crash?.();
        await crash(innerOf(process));
      },
    }),
    ...(disconnect && { disconnect: (process) => disconnect(innerOf(process)) }),
    ...(revoke && { revoke: (process, group) => revoke(innerOf(process), group) }),
  };
}

function wrap(inner: ConfiguredTransport, breakage: Breakage): ConfiguredTransport {
  return {
    ...inner,
    create: (host: TransportHost) => new BrokenTransport(inner.create(host), breakage),
  };
}

class BrokenTransport implements Transport {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly connect: Transport["connect"];
  readonly publish: Transport["publish"];
  readonly subscribe: Transport["subscribe"];
  readonly close: Transport["close"];

  constructor(inner: Transport, breakage: Breakage) {
    this.name = inner.name;
    this.capabilities = breakage.capabilities?.(inner.capabilities) ?? inner.capabilities;
    const connect: Transport["connect"] = () => inner.connect();
    this.connect = breakage.connect?.(connect) ?? connect;
    const publish: Transport["publish"] = (messages) => inner.publish(messages);
    this.publish = breakage.publish?.(publish) ?? publish;
    const subscribe: Transport["subscribe"] = (request, deliver) =>
      inner.subscribe(request, breakage.deliver?.(deliver, request.group) ?? deliver);
    this.subscribe = breakage.subscribe?.(subscribe) ?? subscribe;
    const close: Transport["close"] = (options) => inner.close(options);
    this.close = breakage.close?.(close) ?? close;
  }
}

/** What a breakage changes about a delivery. */
export interface DeliveryChanges {
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly headers?: HeaderList;
  readonly attempt?: number;
  readonly draining?: AbortSignal;
  readonly signal?: AbortSignal;
  readonly settle?: (settlement: Settlement) => void;
}

/** A delivery like another one, but for some changes. */
export function changed(delivery: Delivery, changes: DeliveryChanges): Delivery {
  return {
    topic: delivery.topic,
    partition: delivery.partition,
    offset: delivery.offset,
    timestampMs: delivery.timestampMs,
    key: delivery.key,
    value: delivery.value,
    headers: delivery.headers,
    attempt: delivery.attempt,
    sizeBytes: delivery.sizeBytes,
    draining: delivery.draining,
    signal: delivery.signal,
    settle: (settlement) => delivery.settle(settlement),
    ...changes,
  };
}
