import { runConformance } from "@bus/testkit";
import { memorySubject } from "./memory-subject.ts";
import type { ConformanceResult, ConformanceSelection, ConformanceSubject } from "@bus/testkit";

/** Every guarantee of the kit. */
export const GUARANTEE_NAMES: readonly string[] = guaranteeNames();

interface Registered {
  readonly body: () => Promise<void>;
  readonly alone: boolean;
}

/** Tests that run at the same time; most of a test is waiting. */
const AT_ONCE = 12;

/** Run the kit without a test runner: failures are results, not errors. */
export async function runKit(
  subject: ConformanceSubject,
  selection?: ConformanceSelection,
): Promise<readonly ConformanceResult[]> {
  const registered: Registered[] = [];
  const { results } = runConformance(
    subject,
    {
      test: (_name, body, { alone }) => void registered.push({ body, alone }),
      skip: () => undefined,
    },
    selection,
  );
  for (const { body, alone } of registered) if (alone) await swallow(body);
  const queue = registered.filter(({ alone }) => !alone);
  await Promise.all(Array.from({ length: AT_ONCE }, () => worker(queue)));
  return results;
}

async function worker(queue: Registered[]): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) await swallow(next.body);
}

async function swallow(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch {
    // The result has the reason.
  }
}

function guaranteeNames(): readonly string[] {
  const names: string[] = [];
  const note = (name: string): void => void names.push(name.split(": ")[1] ?? "");
  runConformance(memorySubject(), { test: note, skip: note });
  return [...new Set(names)];
}
