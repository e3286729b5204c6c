import { describe, expect, test } from "vitest";
import { BusError } from "@bus/core";
import { batchBytes, TOPIC } from "../../test/decoded-response.ts";
import { fetchResponseBytes } from "../../test/fetch-response-bytes.ts";
import { readFetchResponse } from "./fetch-response.ts";

describe("readFetchResponse", () => {
  test("refuses a response that ends in the middle of a field, wherever that is", async () => {
    const payload = fetchResponseBytes(
      {
        topics: [
          {
            topic: TOPIC,
            partitions: [{ partition: 0, records: await batchBytes({ baseOffset: 0 }) }],
          },
        ],
      },
      11,
    );
    for (let length = 0; length < payload.length; length += 1) {
      let error: unknown;
      try {
        readFetchResponse(payload.subarray(0, length), 11);
      } catch (thrown) {
        error = thrown;
      }
      expect(BusError.is(error, "BUS_CORRUPT")).toBe(true);
    }
  });
});
