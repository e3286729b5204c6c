/** Shows how far the demo is: one line that is rewritten on a terminal, a few plain lines elsewhere. */
export class ProgressLine {
  readonly #total: number;
  readonly #started = performance.now();
  #lastShownMs = 0;
  #lastTenth = 0;

  constructor(total: number) {
    this.#total = total;
  }

  update(published: number, handled: number): void {
    if (process.stdout.isTTY) this.#rewrite(published, handled);
    else this.#print(published, handled);
  }

  #rewrite(published: number, handled: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastShownMs < 50 && handled < this.#total) return;
    this.#lastShownMs = nowMs;
    const end = handled === this.#total ? "\n" : "";
    process.stdout.write(`\r\u001B[K${this.#text(published, handled)}${end}`);
  }

  #print(published: number, handled: number): void {
    const tenth = Math.floor((handled / this.#total) * 10);
    if (tenth === this.#lastTenth) return;
    this.#lastTenth = tenth;
    process.stdout.write(`${this.#text(published, handled)}\n`);
  }

  #text(published: number, handled: number): string {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    const percent = Math.floor((handled / this.#total) * 100);
    return `${seconds.padStart(5)} s  published ${published}/${this.#total}  handled ${handled}/${this.#total}  ${percent} %`;
  }
}
