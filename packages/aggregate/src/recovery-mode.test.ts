import { expect, test } from "vitest";
import { checkEvent, nextState, startState } from "./recovery-mode.ts";
import type { ModeEventKind, ModeState } from "./recovery-mode.ts";

const RULES = { clearChecks: 3, minDwellMs: 1000 };
const NOW = 5000;

const autoRecovery: ModeState = {
  mode: "recovery",
  steering: "auto",
  reason: "backlog",
  sinceMs: 0,
  clears: 1,
};
const autoNormal: ModeState = {
  mode: "normal",
  steering: "auto",
  reason: "cleared",
  sinceMs: 0,
  clears: 0,
};
const manualRecovery: ModeState = {
  mode: "recovery",
  steering: "manual",
  reason: "manual",
  sinceMs: 0,
  clears: 0,
};
const manualNormal: ModeState = {
  mode: "normal",
  steering: "manual",
  reason: "manual",
  sinceMs: 0,
  clears: 0,
};

const EXPECTED: readonly (readonly [
  string,
  ModeState,
  Record<ModeEventKind, Partial<ModeState>>,
])[] = [
  [
    "recovery",
    autoRecovery,
    {
      backlog: { clears: 0 },
      unknown: { clears: 0 },
      busy: { clears: 0 },
      clear: { clears: 2 },
      setRecovery: { steering: "manual", reason: "manual", clears: 0 },
      setNormal: { mode: "normal", steering: "manual", reason: "manual", sinceMs: NOW, clears: 0 },
      setAuto: {},
    },
  ],
  [
    "normal",
    autoNormal,
    {
      backlog: { mode: "recovery", reason: "backlog", sinceMs: NOW },
      unknown: {},
      busy: {},
      clear: {},
      setRecovery: { mode: "recovery", steering: "manual", reason: "manual", sinceMs: NOW },
      setNormal: { steering: "manual", reason: "manual" },
      setAuto: {},
    },
  ],
  [
    "recovery, by hand",
    manualRecovery,
    {
      backlog: {},
      unknown: {},
      busy: {},
      clear: {},
      setRecovery: {},
      setNormal: { mode: "normal", sinceMs: NOW },
      setAuto: { steering: "auto" },
    },
  ],
  [
    "normal, by hand",
    manualNormal,
    {
      backlog: {},
      unknown: {},
      busy: {},
      clear: {},
      setRecovery: { mode: "recovery", sinceMs: NOW },
      setNormal: {},
      setAuto: { steering: "auto" },
    },
  ],
];

const CASES = EXPECTED.flatMap(([name, state, changes]) =>
  Object.entries(changes).map(([kind, change]) => ({
    name,
    kind: kind as ModeEventKind,
    state,
    change,
  })),
);

test.each(CASES)("in $name, $kind leads to $change", ({ kind, state, change }) => {
  expect(nextState(state, { kind, atMs: NOW }, RULES)).toEqual({ ...state, ...change });
});

test("every event is covered in every state", () => {
  expect(CASES.length).toBe(4 * 7);
});

function play(
  state: ModeState,
  events: readonly (readonly [ModeEventKind, atMs: number])[],
): ModeState {
  return events.reduce((now, [kind, atMs]) => nextState(now, { kind, atMs }, RULES), state);
}

test("recovery is left at the last of the clear checks in a row", () => {
  const start = startState("recovery", 0);
  const two = play(start, [
    ["clear", 2000],
    ["clear", 3000],
  ]);
  expect(two).toMatchObject({ mode: "recovery", reason: "start", clears: 2 });
  expect(play(two, [["clear", 4000]])).toEqual({
    mode: "normal",
    steering: "auto",
    reason: "cleared",
    sinceMs: 4000,
    clears: 0,
  });
});

test.each(["backlog", "unknown", "busy"] as const)(
  "%s between clear checks starts the count again",
  (between) => {
    const events = [
      ["clear", 2000],
      ["clear", 3000],
      [between, 4000],
      ["clear", 5000],
      ["clear", 6000],
    ] as const;
    const state = play(startState("recovery", 0), events);
    expect(state).toMatchObject({ mode: "recovery", clears: 2 });
    expect(play(state, [["clear", 7000]]).mode).toBe("normal");
  },
);

test("recovery lasts at least the dwell time, however clear it is", () => {
  const events = [
    ["clear", 100],
    ["clear", 200],
    ["clear", 300],
    ["clear", 999],
  ] as const;
  const early = play(startState("recovery", 0), events);
  expect(early.mode).toBe("recovery");
  expect(play(early, [["clear", 1000]]).mode).toBe("normal");
});

test("a backlog enters recovery at once, within the dwell time, too", () => {
  const normal = play(startState("recovery", 0), [
    ["clear", 1000],
    ["clear", 2000],
    ["clear", 3000],
  ]);
  expect(play(normal, [["backlog", 3001]])).toMatchObject({
    mode: "recovery",
    reason: "backlog",
    sinceMs: 3001,
  });
});

test("a mode set by hand survives checks until it is given back, and nothing jumps then", () => {
  const checks = [
    ["backlog", 2000],
    ["clear", 3000],
    ["clear", 4000],
    ["clear", 5000],
    ["unknown", 6000],
  ] as const;
  const normal = play(startState("recovery", 0), [["setNormal", 1000], ...checks]);
  expect(normal).toMatchObject({ mode: "normal", steering: "manual", sinceMs: 1000 });
  expect(play(normal, [["setAuto", 7000]])).toMatchObject({ mode: "normal", steering: "auto" });
  expect(
    play(normal, [
      ["setAuto", 7000],
      ["backlog", 8000],
    ]).mode,
  ).toBe("recovery");
  const recovery = play(startState("normal", 0), [["setRecovery", 1000], ...checks]);
  expect(recovery).toMatchObject({ mode: "recovery", steering: "manual", sinceMs: 1000 });
  expect(
    play(recovery, [
      ["setAuto", 7000],
      ["clear", 8000],
      ["clear", 9000],
      ["clear", 9500],
    ]).mode,
  ).toBe("normal");
});

test.each([
  ["backlog", 0, 0, "backlog"],
  ["unknown", 0, 0, "unknown"],
  ["clear", 0, 0, "clear"],
  ["clear", 10, 100, "clear"],
  ["clear", 11, 100, "busy"],
  ["clear", 1, 1, "busy"],
  ["clear", 0, 1, "clear"],
] as const)("verdict %s with %i active of %i lanes counts as %s", (...row) => {
  const [verdict, active, total, kind] = row;
  expect(checkEvent(verdict, { active, total }, 0.1)).toBe(kind);
});
