import type { RecordWalk } from "./kafka-driver.ts";

/** The walk of a fetch that brought nothing to see. */
export const NO_RECORDS: RecordWalk = Object.freeze({
  offset: -1,
  sizeBytes: 0,
  next: () => undefined,
  deliver: () => {
    throw new RangeError("there is no record");
  },
});
