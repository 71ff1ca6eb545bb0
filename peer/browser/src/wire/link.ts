/** The control channel of a link: JSON text, ordered, the same union in both directions. */

export type {
  Busy,
  Bye,
  Cancel,
  Gone,
  Have,
  Hello,
  Holding,
  LinkMessage,
  Loading,
  Missing,
  Want,
} from "./schema";

/** The longest control message: room for a full announcement, nothing to fill a memory with. */
export const CONTROL_BYTES = 65_536;
