import type { PauseReason } from "@bus/core";

/** Why a partition is not read; combined as bits, so that the hot path asks one question. */
export const BLOCK: {
  readonly scheduler: 1;
  readonly inFlight: 2;
  readonly uncommitted: 4;
  readonly offline: 8;
  readonly draining: 16;
} = Object.freeze({
  scheduler: 1,
  /** Its share of the in-flight bound is used up. */
  inFlight: 2,
  /** Too much has settled behind an unsettled message. */
  uncommitted: 4,
  /** The connection is cut. */
  offline: 8,
  draining: 16,
} as const);

/** Redeliveries hold their place in the bounds already: these alone keep them back. */
export const KEEPS_BACK_REDELIVERIES: number = BLOCK.scheduler | BLOCK.offline | BLOCK.draining;

/** The reasons that users of a transport are told. */
export function pauseReasonsOf(blockedBy: number): readonly PauseReason[] {
  const reasons: PauseReason[] = [];
  if ((blockedBy & BLOCK.inFlight) !== 0) reasons.push("inFlight");
  if ((blockedBy & BLOCK.scheduler) !== 0) reasons.push("scheduler");
  if ((blockedBy & BLOCK.uncommitted) !== 0) reasons.push("uncommitted");
  return reasons;
}
