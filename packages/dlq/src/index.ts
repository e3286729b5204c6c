export { createClassifier } from "./classify-error.ts";
export { DLQ_HEADERS } from "./dead-letter-headers.ts";
export { DLQ_DEFAULTS } from "./dlq-options.ts";
export { dlq } from "./dlq-plugin.ts";

export type { Classification, ClassifierOptions, ClassifierRule, ErrorClass } from "./classify-error.ts";
export type { DlqOptions, ResolvedDlqOptions, RetryOptions } from "./dlq-options.ts";
