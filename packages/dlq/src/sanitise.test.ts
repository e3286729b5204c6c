import { describe, expect, it } from "vitest";
import { sanitise } from "./sanitise.ts";

describe("sanitise", () => {
  const corpus: readonly (readonly [string, string])[] = [
    ["connect failed: password=hunter2 host=db", "hunter2"],
    ['{"password":"hunter two, three","user":"u"}', "hunter two"],
    ["DB_PASSWORD: hunter2", "hunter2"],
    ["api-key = 'k-123 456'", "k-123"],
    ["Authorization: Bearer abc.def.ghi", "abc.def"],
    ["sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJhbGci"],
    ["postgres://app:hunter2@db:5432/x refused", "hunter2"],
    ["client_secret=s3cr3t&grant=1", "s3cr3t"],
  ];
  for (const [text, secret] of corpus) {
    it(`masks the secret in ${text.slice(0, 24)}…`, () => {
      expect(sanitise(text, 1_000)).not.toContain(secret);
      expect(sanitise(text, 1_000)).toContain("********");
    });
  }

  it("leaves what is no secret", () => {
    expect(sanitise("duplicate key value violates unique constraint", 1_000)).toBe(
      "duplicate key value violates unique constraint",
    );
  });

  it("escapes control characters, so that a header or a terminal shows one line", () => {
    expect(sanitise("a\nb\u001b[31m\u0000", 100)).toBe("a\\nb\\u001b[31m\\u0000");
  });

  it("cuts to the length given, never through a surrogate pair", () => {
    expect(sanitise("abcdef", 4)).toBe("abc…");
    expect(sanitise("ab😀cd", 4)).toBe("ab…");
    expect(sanitise("abc", 0)).toBe("");
  });

  it("takes time in proportion to the text, whatever the text is", () => {
    const evil = [
      "password" + " ".repeat(50_000),
      "a".repeat(60_000) + "=",
      'token="' + '\\"'.repeat(30_000),
      "x://".repeat(16_000),
      "secret=".repeat(9_000),
      "-".repeat(60_000) + "token",
    ];
    // The fastest of several runs is the one that nothing else on the machine disturbed.
    const fastestMs = (text: string): number => {
      const runs = Array.from({ length: 9 }, () => {
        const started = performance.now();
        sanitise(text, 1_000);
        return performance.now() - started;
      });
      return Math.max(Math.min(...runs), 0.05);
    };
    // Eight times the text: linear is eight times the time, quadratic sixty-four times.
    for (const text of evil) {
      const eighth = fastestMs(text.slice(0, text.length / 8));
      expect(fastestMs(text) / eighth, text.slice(0, 20)).toBeLessThan(32);
    }
  });
});
