/** How long to wait between attempts. */
export interface BackOffPolicy {
  /** Wait after the first attempt, in milliseconds. */
  readonly baseMs: number;
  /** Longest wait before jitter, in milliseconds. */
  readonly maxMs: number;
  /** Growth from one attempt to the next, at least 1. @defaultValue 2 */
  readonly factor?: number;
  /** Share of the wait that chance may add to it, for example 0.2. */
  readonly jitter: number;
}

const DEFAULT_FACTOR = 2;

/**
 * The wait after a failed attempt: `min(baseMs × factor^(attempt − 1), maxMs)`, plus jitter.
 *
 * Jitter only adds, so a retry is never earlier than the policy says; the longest wait is `maxMs × (1 + jitter)`.
 *
 * @param attempt - The attempt that failed, 1 for the first.
 * @param random - Uniform in [0, 1).
 * @returns Whole milliseconds, rounded up, at least 0.
 */
export function backOffMs(attempt: number, policy: BackOffPolicy, random: () => number): number {
  if (policy.baseMs <= 0) return 0;
  const growth = (policy.factor ?? DEFAULT_FACTOR) ** (Math.max(attempt, 1) - 1);
  const waitMs = Math.max(Math.min(policy.baseMs * growth, policy.maxMs), 0);
  return Math.ceil(waitMs + waitMs * policy.jitter * random());
}
