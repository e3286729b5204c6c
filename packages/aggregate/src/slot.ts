import type { HandlerSlot } from "@bus/core";
import type { Intake } from "./intake.ts";
import type { Lane } from "./lane.ts";

/** Where slots come from. */
export interface SlotKeeper {
  /** A slot was given back for the time being; its run goes on later. */
  gaveBack(): void;
  takeAgain(signal: AbortSignal): Promise<boolean>;
  /** The run of a slot has ended. */
  ended(slot: Slot): void;
}

/** One running handler: what `run(…).then(…)` calls back; made once and used again, so that a message allocates none. */
export class Slot implements HandlerSlot {
  lane: Lane | undefined;
  intake: Intake | undefined;
  /** `false` while its run waits without it. */
  taken = true;
  readonly ended: () => void;
  readonly #keeper: SlotKeeper;

  constructor(keeper: SlotKeeper) {
    this.#keeper = keeper;
    this.ended = () => keeper.ended(this);
  }

  giveBack(): void {
    if (!this.taken) return;
    this.taken = false;
    this.#keeper.gaveBack();
  }

  async takeAgain(signal: AbortSignal): Promise<boolean> {
    this.taken = await this.#keeper.takeAgain(signal);
    return this.taken;
  }
}
