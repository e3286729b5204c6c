/** The version of @bus/core, as in its package.json (a test compares them): for `bus_build_info`. */
export const CORE_VERSION = "0.1.0";
