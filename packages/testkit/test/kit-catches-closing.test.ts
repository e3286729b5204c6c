import { describeCatches } from "./support/catches.ts";
import { CLOSING_BREAKAGES } from "./support/closing-breakages.ts";

describeCatches(CLOSING_BREAKAGES);
