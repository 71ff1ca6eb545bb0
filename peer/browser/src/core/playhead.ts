/**
 * Where the player is, and when it will need what.
 *
 * The player tells where it plays and what it has in its buffer; from that follows, for every
 * segment ahead of it, when the play head gets there.
 */

import type { SegmentKey } from "../model";
import type { Playing } from "./ports";

/** Seconds in the buffer below which playback stands still. */
const EMPTY = 0.05;
/** Seconds, where the player does not say what it wants to have in its buffer. */
const USUAL_TARGET = 30;

/** What the player last said, and what it has asked for. */
export class Playhead {
  playing: Playing | null = null;
  /** Whether it has been given anything yet. */
  started = false;
  /** Seconds of media that it wants to have in its buffer. */
  target = USUAL_TARGET;
  /** When its buffer runs dry, unless more comes. */
  private _until = 0;
  /** The newest segment of each rendition that it asked for. */
  private readonly _reached = new Map<string, number>();

  get live(): boolean {
    return this.playing?.live ?? false;
  }

  /** The player is here now; returns whether it has just run dry. */
  moved(playing: Playing, now: number): boolean {
    const before = this.playing;
    this.playing = playing;
    this._until = now + playing.buffer;
    this.target = playing.target ?? USUAL_TARGET;
    const wasFed = before !== null && before.buffer > EMPTY;
    return this.started && wasFed && playing.buffer <= EMPTY;
  }

  /** Whether a viewer waits for the first picture. */
  starting(now: number): boolean {
    return !this.started && this.buffer(now) <= EMPTY;
  }

  /** The player has asked for a segment. */
  asked({ rendition, sequence }: SegmentKey): void {
    this._reached.set(rendition, sequence);
  }

  /**
   * What the player has in its buffer it need not be brought, though it was asked of others;
   * `duration` are the seconds of a segment.
   */
  takeStock(duration: number, now: number): void {
    const buffer = this.buffer(now);
    if (!this.playing || !isFinite(buffer)) return; // who only keeps media never runs dry
    const { rendition, head } = this.playing;
    const buffered = head - 1 + Math.ceil((buffer - EMPTY) / duration);
    this._reached.set(rendition, Math.max(this._reached.get(rendition) ?? buffered, buffered));
  }

  /** What the player asked for of a rendition is not what it is now. */
  forget(rendition: string): void {
    this._reached.delete(rendition);
  }

  /** The same of all renditions. */
  forgetAll(): void {
    this._reached.clear();
  }

  /** Seconds of media ahead of the play head. */
  buffer(now: number): number {
    return Math.max(this._until - now, 0);
  }

  /** The newest segment of its rendition that the player has asked for. */
  reached(): number {
    const { playing } = this;
    return playing ? (this._reached.get(playing.rendition) ?? playing.head - 1) : -1;
  }

  /**
   * When the play head gets to a segment that has not been asked for; `open` is when it gets to the
   * newest one that was, if that has not been delivered.
   */
  deadline(sequence: number, duration: number, open: number | null): number {
    const beyond = sequence - this.reached();
    return open === null ? this._until + (beyond - 1) * duration : open + beyond * duration;
  }
}
