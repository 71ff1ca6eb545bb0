/** The version of the whole project; the build puts it in. */
declare const P2PCDN_VERSION: string;

export const version: string = typeof P2PCDN_VERSION === "string" ? P2PCDN_VERSION : "0.0.0-dev";
