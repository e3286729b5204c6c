export { createClassifier } from "./classify-error.ts";
export { DLQ_HEADERS } from "./dead-letter-headers.ts";
export { REQUEST_DEFAULTS } from "./dead-letter-requests.ts";
export { DLQ_METRICS } from "./dlq-metrics.ts";
export { DLQ_DEFAULTS } from "./dlq-options.ts";
export { dlq } from "./dlq-plugin.ts";

export type {
  Classification,
  ClassifierOptions,
  ClassifierRule,
  ErrorClass,
} from "./classify-error.ts";
export type { DeadLetterFilter } from "./dead-letter-filter.ts";
export type { DeadLetterState, DeadLetterSummary, MessagePlace } from "./dead-letter-record.ts";
export type {
  DiscardRequest,
  InspectRequest,
  ListRequest,
  ReplayRequest,
  RunRequest,
} from "./dead-letter-requests.ts";
export type { RunCounts } from "./dead-letter-run.ts";
export type {
  DeadLetters,
  InspectedDeadLetter,
  ListedDeadLetter,
  RunReport,
} from "./dead-letters.ts";
export type { DlqOptions, ResolvedDlqOptions, RetryOptions } from "./dlq-options.ts";
export type { DlqApi } from "./dlq-plugin.ts";
export type { ReplayFailure } from "./replay-letters.ts";
export type { DiscardAudit, LetterEntry } from "./replay-log-state.ts";
