/**
 * How much we give away of somebody's line, battery and data plan: never more than was agreed.
 *
 *     permitted, no metered line, no hidden tab on battery, budget left --> open, else closed
 *     a chunk is promised  if budget and ratio still allow it, with all that is promised already
 *     a frame is sent      if the rate allows it now
 *
 * What is promised counts as given: so the caps hold whatever is on its way. A budget that is spent
 * closes for good; a ratio opens again with what comes in.
 */

import type { Caps, Device } from "./ports";

/** Seconds of silence that may be made up for: sending comes in turns. */
const BURST = 0.1;
/**
 * Bytes a second: a lower cap would keep who asked for a chunk waiting for more than two seconds,
 * so with it we give nothing.
 */
export const LEAST_RATE = 32_768;
/** Seconds after which somebody may ask again whom the ratio or the budget did not allow for. */
const WAIT = 2;

/** What may be uploaded now. */
export class Governor {
  /** Whether site and viewer agree to any. */
  permitted = true;
  device: Omit<Device, "type"> = {};
  private _caps: Caps = {};
  private _spent = false;
  /** When the rate allows the next frame. */
  private _freeAt = -Infinity;

  /** Whether anything is given at all. */
  get open(): boolean {
    const { cellular, saving, hidden, onBattery } = this.device;
    const idle = hidden === true && onBattery === true;
    const slow = this.rate < LEAST_RATE;
    return this.permitted && !this._spent && !cellular && !saving && !idle && !slow;
  }

  /** Bytes a second that are allowed. */
  get rate(): number {
    return this._caps.rate ?? Infinity;
  }

  /** Other caps hold from now on; with a larger budget there may be something left again. */
  limit(caps: Caps): void {
    if (caps.budget !== this._caps.budget) this._spent = false;
    this._caps = caps;
  }

  /**
   * How long somebody who asks for `size` bytes should wait before asking again; null if they may
   * be promised, with so many bytes sent and promised before, and received.
   */
  wait(size: number, sent: number, owed: number, received: number): number | null {
    const { budget, ratio } = this._caps;
    const given = sent + owed + size;
    if (given > (budget ?? Infinity)) {
      // A promise may still be given back.
      this._spent ||= !owed;
      return WAIT;
    }
    return given > (ratio ?? Infinity) * received ? WAIT : null;
  }

  /** Whether a frame may be sent now. */
  hasRoom(now: number): boolean {
    return this._freeAt <= now;
  }

  /** When the next frame may be sent. */
  roomAt(): number {
    return this._freeAt;
  }

  /** A frame was sent. */
  sent(size: number, now: number): void {
    if (this.rate < Infinity) this._freeAt = Math.max(this._freeAt, now - BURST) + size / this.rate;
  }
}
