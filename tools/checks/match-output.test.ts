import { expect, test } from "vitest";

import { firstUnmatched } from "./match-output.ts";

const OUTPUT = "starting\n12 flights in 3.4 s\nnoise\ndone\n";

test("expected lines may have other lines between them", () => {
  expect(firstUnmatched("starting\n\\d+ flights in [\\d.]+ s\ndone\n", OUTPUT)).toBeUndefined();
});

test("a line that does not come is told", () => {
  expect(firstUnmatched("starting\n\\d+ trains", OUTPUT)).toBe("\\d+ trains");
});

test("lines in another order do not match", () => {
  expect(firstUnmatched("done\nstarting", OUTPUT)).toBe("starting");
});

test("one line does not stand for two expected ones", () => {
  expect(firstUnmatched("done\ndone", OUTPUT)).toBe("done");
});

test("a part of a line is not enough", () => {
  expect(firstUnmatched("12 flights", OUTPUT)).toBe("12 flights");
});
