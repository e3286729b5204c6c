import type { AggregateApi } from "@bus/aggregate";
import type { BacklogApi } from "@bus/backlog";
import type { EventBus } from "@bus/core";

const EVERY_MS = 250;

/** Shows what goes on: a line that is rewritten on a terminal, plain lines elsewhere, and a line for each change of mode. */
export class FlightBoard {
  published = 0;
  handled = 0;
  readonly modes: string[] = [];
  readonly #bus: EventBus & AggregateApi & BacklogApi;
  readonly #total: number;
  #openedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bus: EventBus & AggregateApi & BacklogApi, total: number) {
    this.#bus = bus;
    this.#total = total;
  }

  open(): void {
    this.#openedMs = performance.now();
    this.modes.push(this.#bus.isInRecoveryMode() ? "recovery" : "normal");
    console.log("   time  published    handled       lag  backlog  mode      lanes at work");
    this.#timer = setInterval(() => this.#show(), EVERY_MS);
  }

  modeChanged(mode: string, reason: string): void {
    this.modes.push(mode);
    this.#endLine();
    console.log(`${this.#time()}  ${mode} mode: ${reason}`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#show();
    this.#endLine();
  }

  #show(): void {
    const { backlog } = this.#bus;
    const lag = backlog.detail()?.totalLagMessages ?? 0n;
    const { active, total } = this.#bus.lanes();
    const mode = this.#bus.isInRecoveryMode() ? "recovery" : "normal";
    const counts = `${this.#count(this.published)}  ${this.#count(this.handled)}  ${String(lag).padStart(8)}`;
    const line = `${this.#time()}  ${counts}  ${backlog.verdict.padEnd(7)}  ${mode.padEnd(8)}  ${active} of ${total}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\u001B[K${line}`);
    else console.log(line);
  }

  #endLine(): void {
    if (process.stdout.isTTY) process.stdout.write("\n");
  }

  #time(): string {
    return `${((performance.now() - this.#openedMs) / 1000).toFixed(2).padStart(5)} s`;
  }

  #count(value: number): string {
    return `${Math.round((value / this.#total) * 100)} %`.padStart(9);
  }
}
