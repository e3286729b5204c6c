import { publishError } from "@bus/core";
import type { BusError, PublishOutcome, PublishReceipt } from "@bus/core";

/** The messages of one call of `publish`, until each has an outcome. */
export class PublishCall {
  readonly receipts: Promise<readonly PublishReceipt[]>;
  #receipts: (PublishReceipt | undefined)[] | undefined;
  readonly #size: number;
  #errors: Map<number, BusError> | undefined;
  #open: number;
  #resolve: (receipts: readonly PublishReceipt[]) => void = () => undefined;
  #reject: (error: BusError) => void = () => undefined;

  /** @param size - Number of messages, at least 1. */
  constructor(size: number) {
    this.#size = size;
    this.#open = size;
    this.receipts = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  stored(index: number, receipt: PublishReceipt): void {
    if (this.#size === 1) return this.#resolve([receipt]);
    this.#receipts ??= [];
    this.#receipts[index] = receipt;
    this.#ended();
  }

  failed(index: number, error: BusError): void {
    this.#errors ??= new Map();
    this.#errors.set(index, error);
    this.#ended();
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    // Every index has a receipt when none has an error.
    if (this.#errors === undefined) this.#resolve(this.#receipts as PublishReceipt[]);
    else this.#reject(publishError(this.#outcomes(this.#errors)));
  }

  #outcomes(errors: ReadonlyMap<number, BusError>): readonly PublishOutcome[] {
    const outcomes: PublishOutcome[] = [];
    for (let index = 0; index < this.#size; index += 1) {
      const error = errors.get(index);
      const receipt = this.#receipts?.[index];
      if (error !== undefined) outcomes.push({ kind: "failed", error });
      else if (receipt !== undefined) outcomes.push({ kind: "stored", receipt });
    }
    return outcomes;
  }
}
