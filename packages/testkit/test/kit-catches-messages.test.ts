import { describeCatches } from "./support/catches.ts";
import { MESSAGE_BREAKAGES } from "./support/breakages.ts";

describeCatches(MESSAGE_BREAKAGES);
