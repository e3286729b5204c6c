import type { BacklogVerdict } from "@bus/core";
import type { Mode } from "./route.ts";

/** Who decides on the mode: checks of the backlog, or whoever set it by hand. */
export type Steering = "auto" | "manual";

/**
 * Why the bus is in its mode.
 *
 * - `start`: the configured mode at start.
 * - `backlog`: a check found a backlog.
 * - `cleared`: enough checks in a row found none.
 * - `manual`: `setRecoveryMode(true | false)`.
 */
export type ModeReason = "start" | "backlog" | "cleared" | "manual";

/** The whole state of the recovery mode. */
export interface ModeState {
  readonly mode: Mode;
  readonly steering: Steering;
  readonly reason: ModeReason;
  /** When the mode was entered, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Clear checks in a row, in recovery mode under `auto`. */
  readonly clears: number;
}

/**
 * What can happen to the recovery mode.
 *
 * - `backlog`, `unknown`: the verdict of a check; a check that threw is `unknown`.
 * - `clear`: no backlog, and hardly a lane is active.
 * - `busy`: no backlog, but too many lanes are active still.
 * - `setRecovery`, `setNormal`, `setAuto`: the three calls of `setRecoveryMode`.
 */
export type ModeEventKind =
  | "backlog"
  | "unknown"
  | "clear"
  | "busy"
  | "setRecovery"
  | "setNormal"
  | "setAuto";

/** Something that happens, and when. */
export interface ModeInput {
  readonly kind: ModeEventKind;
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** When the recovery mode is left. */
export interface ModeRules {
  readonly clearChecks: number;
  readonly minDwellMs: number;
}

type StateName = `${Steering} ${Mode}`;
type Transition = (state: ModeState, input: ModeInput, rules: ModeRules) => ModeState;

const stay: Transition = (state) => state;

const resetClears: Transition = (state) => (state.clears === 0 ? state : { ...state, clears: 0 });

const enterRecovery: Transition = (_, { atMs }) => ({
  mode: "recovery",
  steering: "auto",
  reason: "backlog",
  sinceMs: atMs,
  clears: 0,
});

const countClear: Transition = (state, { atMs }, rules) => {
  const clears = state.clears + 1;
  const mayLeave = clears >= rules.clearChecks && atMs - state.sinceMs >= rules.minDwellMs;
  if (!mayLeave) return { ...state, clears };
  return { mode: "normal", steering: "auto", reason: "cleared", sinceMs: atMs, clears: 0 };
};

const take =
  (mode: Mode): Transition =>
  (state, { atMs }) => ({
    mode,
    steering: "manual",
    reason: "manual",
    sinceMs: state.mode === mode ? state.sinceMs : atMs,
    clears: 0,
  });

/** The mode stays as it is; from now on checks decide. */
const release: Transition = (state) => ({ ...state, steering: "auto", clears: 0 });

const byHand = { setRecovery: take("recovery"), setNormal: take("normal"), setAuto: release };

/** What each event does in each state. */
const TRANSITIONS: Readonly<Record<StateName, Readonly<Record<ModeEventKind, Transition>>>> =
  Object.freeze({
    "auto recovery": {
      ...byHand,
      backlog: resetClears,
      unknown: resetClears,
      busy: resetClears,
      clear: countClear,
      setAuto: stay,
    },
    "auto normal": {
      ...byHand,
      backlog: enterRecovery,
      unknown: stay,
      busy: stay,
      clear: stay,
      setAuto: stay,
    },
    "manual recovery": { ...byHand, backlog: stay, unknown: stay, busy: stay, clear: stay },
    "manual normal": { ...byHand, backlog: stay, unknown: stay, busy: stay, clear: stay },
  });

/** The state in which a bus starts. */
export function startState(mode: Mode, nowMs: number): ModeState {
  return { mode, steering: "auto", reason: "start", sinceMs: nowMs, clears: 0 };
}

/** The state after an event; pure, and the same object when nothing changes. */
export function nextState(state: ModeState, input: ModeInput, rules: ModeRules): ModeState {
  return TRANSITIONS[`${state.steering} ${state.mode}`][input.kind](state, input, rules);
}

/** What a check means for the mode: "no backlog" counts only when the lanes have caught up, too. */
export function checkEvent(
  verdict: BacklogVerdict,
  lanes: { readonly active: number; readonly total: number },
  activeLaneRatio: number,
): ModeEventKind {
  if (verdict !== "clear") return verdict;
  return lanes.active <= lanes.total * activeLaneRatio ? "clear" : "busy";
}
