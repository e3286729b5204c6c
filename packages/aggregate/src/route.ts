/** Whether messages of one aggregate go through its lane (`recovery`) or are handled at once (`normal`). */
export type Mode = "recovery" | "normal";

/**
 * What a subscription promises in normal mode.
 *
 * - `ordered`: one handler of an aggregate at a time, in order, in both modes.
 * - `overlapping`: direct runs of one aggregate may overlap while the mode is normal.
 */
export type NormalModePromise = "ordered" | "overlapping";

/**
 * What the pool knows of a message's aggregate when the message comes.
 *
 * - `none`: the message has no aggregate id.
 * - `free`: nothing of the aggregate is queued or running, and it has no lane.
 * - `overlapping`: only direct runs that may overlap are queued or running.
 * - `lane`: it has a lane, or something of it is queued or running in order.
 */
export type AggregateState = "none" | "free" | "overlapping" | "lane";

/**
 * Where a message goes.
 *
 * - `direct`: to a free handler, remembered by nobody.
 * - `alone`: to a free handler; later messages of the aggregate wait until it has ended.
 * - `overlapping`: to a free handler, counted, so that the aggregate can change to a lane without an overlap.
 * - `lane`: behind everything of its aggregate that is queued or running.
 */
export type Route = "direct" | "alone" | "overlapping" | "lane";

/**
 * Choose the way of a message.
 *
 * Hand-over: an aggregate of which anything is queued or running keeps the way it is on, whatever the mode has become
 * meanwhile. Only overlapping runs may be followed by a lane, which then waits for the last of them; so no switch of
 * the mode overlaps or reorders anything.
 */
export function route(mode: Mode, promise: NormalModePromise, aggregate: AggregateState): Route {
  if (aggregate === "none") return "direct";
  if (aggregate === "lane" || mode === "recovery") return "lane";
  if (promise === "overlapping") return "overlapping";
  return aggregate === "free" ? "alone" : "lane";
}
