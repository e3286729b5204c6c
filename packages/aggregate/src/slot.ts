import type { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";

/** One running handler: what `run(…).then(…)` calls back; made once and used again, so that a message allocates none. */
export class Slot {
  lane: Lane | undefined;
  intake: Intake | undefined;
  readonly ended: () => void;

  constructor(onEnded: (slot: Slot) => void) {
    this.ended = () => onEnded(this);
  }
}
