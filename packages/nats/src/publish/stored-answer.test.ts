import fc from "fast-check";
import { expect, test } from "vitest";

import { plainSequence, readAnswer } from "./stored-answer.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

test("the sequence of a plain acknowledgement is found without parsing, with or without a space", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 45), fc.constantFrom("", " "), (sequence, space) => {
      const answer = bytes(`{"stream":"orders","seq":${space}${sequence}}`);
      expect(plainSequence(answer)).toBe(sequence);
      expect(readAnswer(answer)).toEqual({ kind: "stored", sequence, isDuplicate: false });
    }),
  );
});

test("anything else is left to the parser", () => {
  const others = [
    '{"stream":"orders","seq":7,"duplicate":true}',
    '{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"orders","seq":0}',
    '{"stream":"orders","domain":"hub","seq":7,"duplicate": true}',
    '{"stream":"orders","count":7}',
    "",
    "}",
  ];
  expect(others.map((other) => plainSequence(bytes(other)))).toEqual(others.map(() => -1));
  expect(readAnswer(bytes(others[0] ?? ""))).toEqual({
    kind: "stored",
    sequence: 7,
    isDuplicate: true,
  });
  expect(readAnswer(bytes(others[1] ?? ""))).toEqual({
    kind: "refused",
    errorCode: 10_077,
    description: "maximum bytes exceeded",
  });
  expect(() => readAnswer(bytes(others[3] ?? ""))).toThrow(/without a sequence/);
});
