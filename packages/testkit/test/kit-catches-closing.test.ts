import { describeCatches } from "./support/catches.ts";
import { CLOSING_BREAKAGES } from "./support/lifecycle-breakages.ts";

describeCatches(CLOSING_BREAKAGES);
