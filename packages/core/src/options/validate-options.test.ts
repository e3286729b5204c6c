import { describe, expect, it } from "vitest";
import { z } from "zod";
import { BusError } from "../errors/bus-error.ts";
import { MASK, maskSecrets } from "./mask-secrets.ts";
import { nearestName } from "./nearest-name.ts";
import { optionTable } from "./option-table.ts";
import { validateOptions } from "./validate-options.ts";
import type { OptionSchema } from "./validate-options.ts";

function problem(schema: OptionSchema<object, object>, input: unknown): BusError {
  try {
    validateOptions(schema, input, "kafka");
  } catch (error) {
    if (BusError.is(error)) return error;
  }
  throw new Error("expected a BusError");
}

const table = optionTable<
  object,
  { heartbeatIntervalMs: number; mode: string; brokers?: readonly string[] }
>({
  heartbeatIntervalMs: { type: "integer", min: 1, max: 60_000, default: 3_000, description: "d" },
  mode: { type: "choice", choices: ["a", "b"], default: "a", description: "d" },
  brokers: { type: "list", description: "d" },
});

const zodSchema = z.strictObject({
  heartbeatIntervalMs: z.number().int().min(1).default(3_000),
  consumer: z.strictObject({ fetchMaxBytes: z.number().default(1) }).optional(),
});

describe("options are checked at the door", () => {
  for (const [name, schema] of [
    ["an option table", table],
    ["a zod schema", zodSchema],
  ] as readonly (readonly [string, OptionSchema<object, object>])[]) {
    it(`fills in defaults (${name})`, () => {
      expect(validateOptions(schema, undefined, "kafka")).toMatchObject({
        heartbeatIntervalMs: 3_000,
      });
    });

    it(`names an unknown option and the nearest known one (${name})`, () => {
      const error = problem(schema, { hartbeatIntervalMs: 5 });
      expect(error.code).toBe("BUS_CONFIG");
      expect(error.message).toBe(
        "unknown option kafka.hartbeatIntervalMs, got 5 (did you mean `heartbeatIntervalMs`?)",
      );
      expect(error.details).toMatchObject({ path: "kafka.hartbeatIntervalMs", value: 5 });
    });

    it(`names path and value of a wrong type (${name})`, () => {
      const error = problem(schema, { heartbeatIntervalMs: "often" });
      expect(error.message).toContain("kafka.heartbeatIntervalMs");
      expect(error.message).toContain('got "often"');
      expect(error.details).toMatchObject({ path: "kafka.heartbeatIntervalMs", value: "often" });
    });

    it(`rejects a number out of range (${name})`, () => {
      expect(problem(schema, { heartbeatIntervalMs: 0 }).details).toMatchObject({ value: 0 });
    });
  }

  it("suggests names inside nested objects", () => {
    expect(problem(zodSchema, { consumer: { fetchMaxByte: 1 } }).message).toContain(
      "did you mean `fetchMaxBytes`?",
    );
  });

  it("collects every issue in the details", () => {
    const { issues } = problem(table, { mode: "c", heartbeatIntervalMs: -1, x: 1 }).details;
    expect(issues).toHaveLength(3);
  });

  it("rejects what is not an object", () => {
    expect(problem(table, "fast").message).toBe('kafka must be an object, got "fast"');
    expect(problem(table, [1]).code).toBe("BUS_CONFIG");
  });

  it("describes itself as JSON Schema with defaults and bounds", () => {
    expect(table["~standard"].jsonSchema.input({ target: "draft-2020-12" })).toMatchObject({
      additionalProperties: false,
      properties: {
        heartbeatIntervalMs: { type: "integer", minimum: 1, maximum: 60_000, default: 3_000 },
      },
    });
  });
});

describe("nearestName", () => {
  it("finds slips of the finger and ignores what is far off", () => {
    expect(nearestName("Brokers", ["brokers", "clientId"])).toBe("brokers");
    expect(nearestName("cleintId", ["brokers", "clientId"])).toBe("clientId");
    expect(nearestName("zebra", ["brokers", "clientId"])).toBeUndefined();
  });
});

describe("maskSecrets", () => {
  it("masks secrets by the name of their member, at any depth, and leaves the rest", () => {
    const masked = maskSecrets({
      brokers: ["a:1"],
      sasl: { mechanism: "plain", username: "u", password: "hush" },
      tls: { key: "pem", ca: "public" },
      "sasl.password": "hush",
      "sasl.mechanism": "PLAIN",
      token: "t",
      auth: { user: "u", pass: "hush" },
    });
    expect(masked).toEqual({
      brokers: ["a:1"],
      sasl: { mechanism: "plain", username: "u", password: MASK },
      tls: { key: MASK, ca: "public" },
      "sasl.password": MASK,
      "sasl.mechanism": "PLAIN",
      token: MASK,
      auth: { user: "u", pass: MASK },
    });
    expect(JSON.stringify(masked)).not.toContain("hush");
  });
});
