import { describeCatches } from "./support/catches.ts";
import { MEMBERSHIP_BREAKAGES } from "./support/membership-breakages.ts";

describeCatches(MEMBERSHIP_BREAKAGES);
