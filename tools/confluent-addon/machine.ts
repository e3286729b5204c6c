import { runProgram } from "@bus/tools-brokers";
import type { ProgramLimits, ProgramResult } from "@bus/tools-brokers";

/** The machine that the addon is prepared on, as far as its tools and packages go. */
export interface Machine {
  /** True when packages may be installed without asking anybody. */
  readonly isRoot: boolean;
  /** Run a program to its end; a missing program is status 127. */
  run(command: readonly [string, ...string[]], limits?: ProgramLimits): Promise<ProgramResult>;
  /** Tell the user what is being done. */
  say(line: string): void;
}

/** The machine that this process runs on. */
export function thisMachine(say: (line: string) => void): Machine {
  return { isRoot: process.getuid?.() === 0, run: runProgram, say };
}
