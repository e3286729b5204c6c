import type { Capabilities } from "@bus/core";
import type { ConformanceFaults, ConformanceSubject } from "./subject.ts";
import type { Lab } from "./lab.ts";

/** What a test cannot do without: a capability of the transport or a fault that the subject can cause. */
export type Need = "partitionOrder" | "delayedRedelivery" | "lag" | keyof ConformanceFaults;

/** One test of a guarantee. */
export interface GuaranteeTest {
  /** A sentence of behaviour. */
  readonly name: string;
  readonly needs?: readonly Need[];
  /** `true`: no other test of this process may run meanwhile, because the test looks at the whole process. */
  readonly alone?: boolean;
  run(lab: Lab): Promise<void>;
}

/** A promise that every transport must keep, and the tests that hold it to it. */
export interface Guarantee {
  readonly name: string;
  readonly tests: readonly GuaranteeTest[];
}

/** Why a subject cannot run a test; `undefined` when it can. */
export function reasonToSkip(
  test: GuaranteeTest,
  subject: ConformanceSubject,
  capabilities: Capabilities,
): string | undefined {
  const unmet = (test.needs ?? []).filter((need) => !meets(need, subject, capabilities));
  return unmet.length === 0 ? undefined : unmet.map((need) => REASONS[need]).join("; ");
}

const REASONS: Readonly<Record<Need, string>> = {
  partitionOrder: "the transport promises no order within a partition (capabilities.ordering)",
  delayedRedelivery: "the transport has no capabilities.delayedRedelivery; core retries in place",
  lag: "the transport has no capabilities.lag",
  crash: "the subject has no faults.crash",
  disconnect: "the subject has no faults.disconnect",
  revoke: "the subject has no faults.revoke",
  makeGap: "the subject has no faults.makeGap",
  removeBefore: "the subject has no faults.removeBefore",
};

function meets(need: Need, subject: ConformanceSubject, capabilities: Capabilities): boolean {
  switch (need) {
    case "partitionOrder":
      return capabilities.ordering === "partition";
    case "delayedRedelivery":
      return capabilities.delayedRedelivery !== undefined;
    case "lag":
      return capabilities.lag !== undefined;
    case "crash":
    case "disconnect":
    case "revoke":
    case "makeGap":
    case "removeBefore":
      return subject.faults?.[need] !== undefined;
    default:
      return need satisfies never;
  }
}
