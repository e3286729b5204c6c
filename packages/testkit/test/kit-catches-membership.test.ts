import { describeCatches } from "./support/catches.ts";
import { MEMBERSHIP_BREAKAGES } from "./support/lifecycle-breakages.ts";

describeCatches(MEMBERSHIP_BREAKAGES);
