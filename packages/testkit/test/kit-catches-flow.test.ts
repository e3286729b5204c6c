import { describeCatches } from "./support/catches.ts";
import { FLOW_BREAKAGES } from "./support/breakages.ts";

describeCatches(FLOW_BREAKAGES);
