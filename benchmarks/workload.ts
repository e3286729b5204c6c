/** How the keys of a workload are spread. */
export type KeySpread = "zipf" | "uniform";

/** Keys of the workload. Source: the shape that the comparisons with other systems use. */
const KEYS = 10_000;
const VALUE_BYTES = 256;
const SEED = 0x5eed;

/** One message of a workload, ready to be published. */
export interface WorkloadMessage {
  readonly keyId: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const encoder = new TextEncoder();

/** Three headers, 45 bytes, as services write them. */
export const WORKLOAD_HEADERS: readonly (readonly [string, Uint8Array])[] = [
  ["type", encoder.encode("order.created")],
  ["source", encoder.encode("bench")],
  ["trace", encoder.encode("0123456789abcde")],
];

/**
 * The messages of a workload, the same in every run: Zipf (s = 1.0) or uniform over 10,000 keys, 256-byte values that
 * begin with the key's id and the sequence number within the key. Messages are made when asked for: half a million of
 * them kept in memory would make every garbage collection of a run dearer.
 */
export class Workload {
  readonly length: number;
  readonly #keyIds: Uint16Array;
  readonly #sequences: Uint32Array;

  constructor(spread: KeySpread, messages: number) {
    const pick = spread === "zipf" ? zipfPicker() : uniformPicker();
    const next = new Uint32Array(KEYS);
    this.length = messages;
    this.#keyIds = Uint16Array.from({ length: messages }, pick);
    this.#sequences = Uint32Array.from(this.#keyIds, (keyId) => {
      const sequence = next[keyId] ?? 0;
      next[keyId] = sequence + 1;
      return sequence;
    });
  }

  /** Messages from one index to another, the latter not included. */
  slice(from: number, to: number): readonly WorkloadMessage[] {
    const end = Math.min(to, this.length);
    return Array.from({ length: Math.max(0, end - from) }, (_, index) =>
      this.#message(from + index),
    );
  }

  /** Messages of the key that has most. */
  hottest(): number {
    const counts = new Uint32Array(KEYS);
    for (const keyId of this.#keyIds) counts[keyId] = (counts[keyId] ?? 0) + 1;
    return Math.max(...counts);
  }

  #message(index: number): WorkloadMessage {
    const keyId = this.#keyIds[index] ?? 0;
    const value = new Uint8Array(VALUE_BYTES).fill(0x2e);
    const view = new DataView(value.buffer);
    view.setUint32(0, keyId);
    view.setUint32(4, this.#sequences[index] ?? 0);
    return { keyId, key: encoder.encode(`key-${keyId}`), value };
  }
}

/** Counts what a consumer run saw: nothing may be lost, repeated, out of order or overlapping within a key. */
export class WorkloadCheck {
  readonly #next = new Uint32Array(KEYS);
  readonly #running = new Uint8Array(KEYS);
  readonly #total: number;
  #handled = 0;
  #disordered = 0;
  #overlapped = 0;
  #maxRunning = 0;
  #nowRunning = 0;

  constructor(total: number) {
    this.#total = total;
  }

  get handled(): number {
    return this.#handled;
  }

  /** Most handlers at once. */
  get maxRunning(): number {
    return this.#maxRunning;
  }

  /** @returns The key's id, for `end`. */
  begin(value: Uint8Array): number {
    const keyId =
      ((value[0] ?? 0) << 24) | ((value[1] ?? 0) << 16) | ((value[2] ?? 0) << 8) | (value[3] ?? 0);
    const sequence =
      ((value[4] ?? 0) << 24) | ((value[5] ?? 0) << 16) | ((value[6] ?? 0) << 8) | (value[7] ?? 0);
    if (this.#next[keyId] !== sequence) this.#disordered++;
    this.#next[keyId] = sequence + 1;
    const running = (this.#running[keyId] ?? 0) + 1;
    this.#running[keyId] = running;
    if (running > 1) this.#overlapped++;
    this.#nowRunning++;
    if (this.#nowRunning > this.#maxRunning) this.#maxRunning = this.#nowRunning;
    return keyId;
  }

  /** @returns Whether this was the last message. */
  end(keyId: number): boolean {
    this.#running[keyId] = (this.#running[keyId] ?? 1) - 1;
    this.#nowRunning--;
    this.#handled++;
    return this.#handled === this.#total;
  }

  /** @throws Error when the run was not clean. */
  assertClean(): void {
    const lost = this.#total - this.#handled;
    if (lost === 0 && this.#disordered === 0 && this.#overlapped === 0) return;
    throw new Error(
      `run is void: missing ${lost}, out of order or repeated ${this.#disordered}, overlapped ${this.#overlapped}`,
    );
  }
}

/** Draws from a Zipf distribution by a table of cumulated weights. */
function zipfPicker(): () => number {
  const cumulated = new Float64Array(KEYS);
  let sum = 0;
  for (let rank = 0; rank < KEYS; rank++) {
    sum += 1 / (rank + 1);
    cumulated[rank] = sum;
  }
  const random = seededRandom();
  return () => {
    const target = random() * sum;
    let low = 0;
    let high = KEYS - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulated[middle] ?? sum) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function uniformPicker(): () => number {
  const random = seededRandom();
  return () => Math.floor(random() * KEYS);
}

/** Mulberry32: small, fast and the same on every machine. */
function seededRandom(): () => number {
  let state = SEED;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
