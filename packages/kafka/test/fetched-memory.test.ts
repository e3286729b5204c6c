import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { HeaderNames } from "../src/kafkajs/header-names.ts";
import type { LazyRecord } from "../src/kafkajs/lazy-record.ts";
import { RecordBatchWriter } from "../src/kafkajs/record-batch-writer.ts";
import { decodeOne, messages } from "./decoded-response.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** As a consumer has it, for as long as it lives. */
const HEADER_NAMES = new HeaderNames();

/** A fetch of 10 MB, of which a small message is looked at; `hold` decides what is kept of it. */
async function fetchAndHold<TKept>(
  compression: "none" | "gzip",
  hold: (small: LazyRecord) => TKept,
): Promise<{ readonly kept: TKept; readonly fetched: WeakRef<ArrayBufferLike> }> {
  const writer = new RecordBatchWriter();
  writer.append({
    key: Buffer.from("k"),
    value: Buffer.from("small"),
    headers: [["h", Buffer.from("v")]],
    timestampMs: 1,
  });
  writer.append({ key: null, value: Buffer.alloc(10_000_000, "x"), headers: [], timestampMs: 1 });
  const batch = await writer.finish({ compression });
  const [small, large] = messages(await decodeOne(batch, { headerNames: HEADER_NAMES }));
  if (small === undefined || large === undefined) throw new Error("two messages were written");
  return { kept: hold(small), fetched: new WeakRef(large.value?.buffer ?? new ArrayBuffer()) };
}

async function isReleased(fetched: WeakRef<ArrayBufferLike>): Promise<boolean> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    await nextTurn();
    collect();
    if (fetched.deref() === undefined) return true;
  }
  return false;
}

test.each(["none", "gzip"] as const)(
  "a fetched buffer is released with the last of its messages (%s)",
  async (compression) => {
    const { fetched } = await fetchAndHold(compression, () => undefined);
    expect(await isReleased(fetched)).toBe(true);
  },
);

test.each(["none", "gzip"] as const)(
  "a copy of a value, and a header's name, keep nothing of it (%s)",
  async (compression) => {
    const { kept, fetched } = await fetchAndHold(compression, ({ value, headers }) => ({
      value: Uint8Array.from(value ?? []),
      name: headers[0]?.[0],
    }));
    expect(await isReleased(fetched)).toBe(true);
    expect(Buffer.from(kept.value).toString()).toBe("small");
    expect(kept.name).toBe("h");
  },
);

const HOLDS: readonly [name: string, hold: (small: LazyRecord) => unknown][] = [
  ["a message", (small) => small],
  ["its value", ({ value }) => value],
  ["its key", ({ key }) => key],
  ["the value of a header", ({ headers }) => headers[0]?.[1]],
];

test.each(HOLDS)(
  "%s keeps the whole of it, so a handler copies what it keeps",
  async (_name, hold) => {
    const { kept, fetched } = await fetchAndHold("none", hold);
    expect(await isReleased(fetched)).toBe(false);
    expect(kept).toBeDefined();
  },
);
