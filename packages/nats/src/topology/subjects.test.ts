import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BusError } from "@bus/core";
import { checkTopic, consumerName, coverage, escapedToken, subjectsOf } from "./subjects.ts";

describe("topics", () => {
  it.each([
    ["orders", undefined],
    ["orders.eu.7", undefined],
    ["Bestellungen-ä", undefined],
    ["a b", /" " at 1 is not allowed/u],
    ["a.*", /"\*" at 2/u],
    ["a.>", /">" at 2/u],
    ["a\u0000", /at 1/u],
    ["", /it is empty/u],
    [".a", /dot/u],
    ["a..b", /dot/u],
    ["$JS.x", /belong to the server/u],
  ])("%j is legal or says why not", (topic, wrong) => {
    let refusal: BusError | undefined;
    try {
      checkTopic(topic);
    } catch (error) {
      refusal = error as BusError;
    }
    expect(refusal?.message ?? "").toMatch(wrong ?? /^$/u);
    expect(refusal?.details).toEqual(wrong && { path: "topic", value: topic });
  });

  it("have no subject in common, whatever their names and partitions", () => {
    const token = fc.stringMatching(/^[a-c0-2]{1,2}$/u);
    const topic = fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join("."));
    fc.assert(
      fc.property(topic, topic, fc.integer({ min: 1, max: 12 }), (one, other, partitions) => {
        const shared = subjectsOf(one, partitions).filter((subject) =>
          subjectsOf(other, partitions).includes(subject),
        );
        expect(shared.length > 0).toBe(one === other);
      }),
    );
  });
});

describe("coverage", () => {
  it.each([
    ["orders.3", ["orders.*"], true],
    ["orders.dlq.3", ["orders.*"], false],
    ["orders.dlq.3", ["orders.>"], true],
    ["orders", ["orders.>"], false],
    ["orders.3", ["orders.3"], true],
    ["orders.3", ["orders.30", "*.4"], false],
    ["orders.3", ["x", "*.*"], true],
  ])("of %s by %j is %s", (subject, patterns, isCovered) => {
    expect(coverage(patterns)(subject)).toBe(isCovered);
  });
});

describe("names of consumers", () => {
  it("are different for different places, and hold nothing that a name may not hold", () => {
    const text = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme" });
    const place = fc.tuple(text, text, text);
    fc.assert(
      fc.property(place, place, (one, other) => {
        expect(consumerName(...one)).toMatch(/^[\w-]+$/u);
        expect(consumerName(...one) === consumerName(...other)).toBe(
          one.every((part, index) => part === other[index]),
        );
      }),
    );
    expect(escapedToken("orders.eu_1")).toBe("orders_deu__1");
  });

  it("that would be too long for a folder end with a digest", () => {
    const long = "t".repeat(300);
    const [one, other] = [
      consumerName("bus", "g", `${long}a`),
      consumerName("bus", "g", `${long}b`),
    ];
    expect([one.length, other.length]).toEqual([200, 200]);
    expect(one).not.toBe(other);
  });
});
