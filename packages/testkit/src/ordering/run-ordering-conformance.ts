import { registerGuarantees } from "../conformance/run-conformance.ts";
import type {
  ConformanceRun,
  ConformanceRunner,
  ConformanceSelection,
} from "../conformance/run-conformance.ts";
import { backlogDetection } from "./backlog-detection.ts";
import { keyOrder } from "./key-order.ts";
import type { OrderingSubject } from "./ordering-subject.ts";
import { recoveryMode } from "./recovery-mode.ts";

/**
 * Register the guarantees of ordering by key, recovery mode and backlog detection for a transport and the plugins that
 * `subject.openBus` installs. Skips and selects as `runConformance`.
 *
 * @throws TypeError when `subject.skip` or the selection names a guarantee or test that does not exist.
 */
export function runOrderingConformance(
  subject: OrderingSubject,
  runner: ConformanceRunner,
  selection: ConformanceSelection = {},
): ConformanceRun {
  const from = [keyOrder(subject), recoveryMode(subject), backlogDetection(subject)];
  return registerGuarantees(subject, runner, { ...selection, from });
}
