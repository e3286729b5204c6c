/** Upper bounds of what has been received and not yet settled. */
export interface InFlightBounds {
  /** Messages, at least 1. */
  readonly maxMessages: number;
  /** Bytes as `messageSizeBytes` counts them, at least 1. */
  readonly maxBytes: number;
}

/** The part of an `InFlightGate` that one partition may use. */
export interface GateShare {
  /** Messages of this share in flight. */
  readonly messages: number;
  /** Bytes of this share in flight. */
  readonly bytes: number;
  /**
   * Let one message in. After `false`, `onRoom` is called once, as soon as there is room again.
   *
   * @returns Whether the message may be delivered; it is then in flight until `give`.
   */
  tryTake(bytes: number): boolean;
  /**
   * Take one settled message out; ignored once the share is closed.
   *
   * @throws RangeError when more is given back than was taken.
   */
  give(bytes: number): void;
  /** End the share: what it holds is given back, it lets nothing in and is not woken any more. Idempotent. */
  close(): void;
}

/**
 * Bounds the messages and bytes in flight of one group member, fairly between its partitions.
 *
 * - The bounds are never exceeded; only a message larger than `maxBytes` is let in alone, when nothing else is in flight.
 * - With n open shares each may use `2 / (n + 1)` of the bounds (all of it when alone), so that stuck partitions leave
 *   room for the others. A share that holds nothing may take a message of any size for which the gate has room.
 * - Hysteresis: a share refused by its own limit waits until it has fallen to half of that limit; then, as any share
 *   refused by the gate, until `1 / (n + 1)` of the bounds (or the refused message's bytes, if more) are free. Shares
 *   are woken in the order of their refusals; one that was woken and found nothing left keeps its place. A waiting
 *   message of more than half of `maxBytes` does not hold up those behind it.
 *
 * `tryTake` and `give` are O(1), waking is O(shares woken), opening and closing a share is O(open shares).
 */
export class InFlightGate {
  readonly #room: Room;

  /** @throws RangeError when a bound is not a positive integer. */
  constructor(bounds: InFlightBounds) {
    this.#room = new Room(
      positive("maxMessages", bounds.maxMessages),
      positive("maxBytes", bounds.maxBytes),
    );
  }

  /** Messages in flight over all shares. */
  get messages(): number {
    return this.#room.messages;
  }

  /** Bytes in flight over all shares. */
  get bytes(): number {
    return this.#room.bytes;
  }

  /**
   * Open a share.
   *
   * @param onRoom - Called once after a refused `tryTake`, inside the call that made room. It may take and give at once,
   * then the refused message finds room; it must not throw.
   */
  share(onRoom: () => void): GateShare {
    const share = new Share(this.#room, onRoom);
    this.#room.open(share);
    return share;
  }
}

/** What the shares of one gate use together, and who waits for it. */
class Room {
  readonly maxMessages: number;
  readonly maxBytes: number;
  messages = 0;
  bytes = 0;
  /** Limits of one share; they follow the number of open shares. */
  shareMessages = 0;
  shareBytes = 0;
  readonly #shares = new Set<Share>();
  // Who was woken and found the room taken by another waits before those who had their turn.
  readonly #passedOver = new Set<Share>();
  readonly #queue = new Set<Share>();
  #wakeMessages = 0;
  #wakeBytes = 0;
  #waking = false;
  #wakeAgain = false;

  constructor(maxMessages: number, maxBytes: number) {
    this.maxMessages = maxMessages;
    this.maxBytes = maxBytes;
  }

  open(share: Share): void {
    this.#shares.add(share);
    this.#divide();
    this.wakeQueued();
  }

  close(share: Share): void {
    this.#shares.delete(share);
    this.dequeue(share);
    this.messages -= share.messages;
    this.bytes -= share.bytes;
    this.#divide();
    for (const other of this.#shares) other.queueBelowOwnMark();
    this.wakeQueued();
  }

  fits(bytes: number): boolean {
    if (bytes > this.maxBytes) return this.messages === 0;
    return this.messages < this.maxMessages && this.bytes + bytes <= this.maxBytes;
  }

  enqueue(share: Share): void {
    if (this.#passedOver.has(share) || this.#queue.has(share)) return;
    (share.passedOver ? this.#passedOver : this.#queue).add(share);
  }

  dequeue(share: Share): void {
    this.#passedOver.delete(share);
    this.#queue.delete(share);
  }

  wakeQueued(): void {
    if (this.#queue.size + this.#passedOver.size === 0) return;
    this.#wakeAgain = true;
    // A woken share may take, settle and give in turn; then the loop that is running goes round once more.
    if (this.#waking) return;
    this.#waking = true;
    try {
      while (this.#wakeAgain) {
        this.#wakeAgain = false;
        if (this.#wakeInOrder(this.#passedOver)) this.#wakeInOrder(this.#queue);
      }
    } finally {
      this.#waking = false;
    }
  }

  /** Wakes the shares that find room now; `false` when one does not and must not be overtaken. */
  #wakeInOrder(queue: Set<Share>): boolean {
    for (const share of queue) {
      if (this.#isFreeFor(share.wantedBytes)) {
        queue.delete(share);
        share.wake();
      } else if (share.wantedBytes * 2 <= this.maxBytes) {
        return false;
      }
    }
    return true;
  }

  #isFreeFor(wantedBytes: number): boolean {
    if (wantedBytes > this.maxBytes) return this.messages === 0;
    const neededBytes = Math.max(this.#wakeBytes, wantedBytes);
    return (
      this.messages + this.#wakeMessages <= this.maxMessages &&
      this.bytes + neededBytes <= this.maxBytes
    );
  }

  #divide(): void {
    const parts = this.#shares.size + 1;
    this.shareMessages = Math.ceil((this.maxMessages * 2) / parts);
    this.shareBytes = Math.ceil((this.maxBytes * 2) / parts);
    this.#wakeMessages = Math.max(Math.floor(this.maxMessages / parts), 1);
    this.#wakeBytes = Math.max(Math.floor(this.maxBytes / parts), 1);
  }
}

class Share implements GateShare {
  messages = 0;
  bytes = 0;
  /** Size of the message that was refused last. */
  wantedBytes = 0;
  /** Whether it was woken and has taken nothing since. */
  passedOver = false;
  readonly #room: Room;
  readonly #onRoom: () => void;
  #waitsForItself = false;
  #isOpen = true;

  constructor(room: Room, onRoom: () => void) {
    this.#room = room;
    this.#onRoom = onRoom;
  }

  tryTake(bytes: number): boolean {
    const room = this.#room;
    if (!this.#isOpen) return false;
    const hasOwnRoom =
      this.messages === 0 ||
      (this.messages < room.shareMessages && this.bytes + bytes <= room.shareBytes);
    if (!hasOwnRoom || !room.fits(bytes)) {
      this.#waitFor(bytes, hasOwnRoom);
      return false;
    }
    this.messages += 1;
    this.bytes += bytes;
    room.messages += 1;
    room.bytes += bytes;
    this.passedOver = false;
    return true;
  }

  give(bytes: number): void {
    const room = this.#room;
    if (!this.#isOpen) return;
    if (this.messages === 0 || bytes > this.bytes) {
      throw new RangeError(
        `share holds ${this.messages} messages of ${this.bytes} bytes, cannot give back one of ${bytes}`,
      );
    }
    this.messages -= 1;
    this.bytes -= bytes;
    room.messages -= 1;
    room.bytes -= bytes;
    if (this.#waitsForItself) this.queueBelowOwnMark();
    room.wakeQueued();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#waitsForItself = false;
    this.#room.close(this);
    this.messages = 0;
    this.bytes = 0;
  }

  wake(): void {
    this.passedOver = true;
    this.#onRoom();
  }

  queueBelowOwnMark(): void {
    const room = this.#room;
    const markBytes = Math.min(Math.floor(room.shareBytes / 2), room.shareBytes - this.wantedBytes);
    const isBelow =
      this.messages === 0 ||
      (this.messages <= Math.floor(room.shareMessages / 2) && this.bytes <= markBytes);
    if (!this.#waitsForItself || !isBelow) return;
    this.#waitsForItself = false;
    room.enqueue(this);
  }

  #waitFor(bytes: number, hasOwnRoom: boolean): void {
    this.wantedBytes = bytes;
    this.#waitsForItself = !hasOwnRoom;
    if (hasOwnRoom) this.#room.enqueue(this);
    else this.#room.dequeue(this);
  }
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name} must be a positive integer, got ${value}`);
}
