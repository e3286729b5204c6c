/** The connection of one client to its broker: up, cut by a fault, closed, or dead with its process. */
export class ClientLink {
  #state: "up" | "cut" | "closed" | "dead" = "up";
  readonly #waiters: ((isUp: boolean) => void)[] = [];

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Whether the process of the client is gone. */
  get isDead(): boolean {
    return this.#state === "dead";
  }

  /** Whether it will never be up again. */
  get isOver(): boolean {
    return this.#state === "closed" || this.#state === "dead";
  }

  /** Resolves when the connection is up, at once when it is; never when it does not come back. */
  whenUp(): Promise<void> {
    return new Promise((resolve) => {
      void this.whenUpOrOver().then((isUp) => {
        if (isUp) resolve();
      });
    });
  }

  /** Resolves with `true` when the connection is up, with `false` when it will not be any more. */
  whenUpOrOver(): Promise<boolean> {
    if (this.#state !== "cut") return Promise.resolve(this.isUp);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  cut(): void {
    if (this.#state === "up") this.#state = "cut";
  }

  restore(): void {
    if (this.#state === "cut") this.#become("up");
  }

  close(): void {
    if (this.#state !== "dead") this.#become("closed");
  }

  kill(): void {
    this.#become("dead");
  }

  #become(state: "up" | "closed" | "dead"): void {
    this.#state = state;
    for (const resolve of this.#waiters.splice(0)) resolve(this.isUp);
  }
}
