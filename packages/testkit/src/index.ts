export { formatConformanceTable } from "./conformance/conformance-result.ts";
export { runConformance } from "./conformance/run-conformance.ts";
export { CONFORMANCE_TIMINGS } from "./conformance/subject.ts";
export { faultyTransport } from "./faulty-transport.ts";
export { checkLedger } from "./ledger-check.ts";
export { createLedger } from "./ledger.ts";
export { manualClock } from "./manual-clock.ts";
export { runOrderingConformance } from "./ordering/run-ordering-conformance.ts";
export { createProbe } from "./probe.ts";
export { testHost } from "./test-host.ts";
export { until, within } from "./until.ts";

export type { ConformanceOutcome, ConformanceResult } from "./conformance/conformance-result.ts";
export type {
  ConformanceRun,
  ConformanceRunner,
  ConformanceSelection,
  ConformanceTestOptions,
} from "./conformance/run-conformance.ts";
export type {
  ConformanceFaults,
  ConformanceSkip,
  ConformanceSubject,
  ConformanceTimings,
  TransportOverrides,
} from "./conformance/subject.ts";
export type { PublishFault, TransportFaults } from "./faulty-transport.ts";
export type { LedgerBounds } from "./ledger-check.ts";
export type { DrainedQuery } from "./ledger-drained.ts";
export type { Evidence, Finding, LedgerEntry } from "./ledger-finding.ts";
export type { Ledger, LedgerRun, LedgerVerdict } from "./ledger.ts";
export type { ManualClock } from "./manual-clock.ts";
export type {
  OrderingBus,
  OrderingBusRequest,
  OrderingSubject,
} from "./ordering/ordering-subject.ts";
export type { ProbedMessage, ProbePredicate, ProbeRecord, ProbeWait } from "./probe-records.ts";
export type { Probe, ProbeWaiter } from "./probe.ts";
export type { TestHost } from "./test-host.ts";
export type { UntilOptions } from "./until.ts";
