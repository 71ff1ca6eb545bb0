/** The links of a runner: what the core's events about links come to. */

import type {
  AddCandidate,
  CloseLink,
  Input,
  MakeAnswer,
  MakeOffer,
  SendFrame,
  TakeAnswer,
  TellLink,
} from "./core/ports";
import { RtcLink, type RtcOptions } from "./rtc";
import type { Stopwatch } from "./stats";

export type LinkEvent = MakeOffer | MakeAnswer | TakeAnswer | AddCandidate | CloseLink;

export class Links {
  private readonly _links = new Map<number, RtcLink>();
  /** Offers that are to be made in a moment. */
  private readonly _waiting = new Set<number>();

  constructor(
    private readonly _options: () => RtcOptions,
    private readonly _stopwatch: Stopwatch,
    private readonly _tell: (input: Input) => void,
    /** Our offers wait for this, until the processor has time for them; and the join for the first
     * of them, a quarter of a second at most. */
    private readonly _opening: Promise<unknown>,
  ) {}

  act(event: LinkEvent): void {
    const link = this._links.get(event.link);
    switch (event.type) {
      case "MakeOffer":
        void this._offer(event.link);
        break;
      case "MakeAnswer":
        this._open(event.link)?.answer(event.sdp);
        break;
      case "TakeAnswer":
        link?.takeAnswer(event.sdp);
        break;
      case "AddCandidate":
        link?.addCandidate(event.candidate, event.mid);
        break;
      case "CloseLink":
        this._waiting.delete(event.link);
        this._links.delete(event.link);
        link?.close();
    }
  }

  send(messages: readonly (TellLink | SendFrame)[]): void {
    const sent = new Set<RtcLink>();
    for (const message of messages) {
      const link = this._links.get(message.link);
      if (!link) continue;
      if (message.type === "TellLink") {
        link.say(message.message);
      } else {
        link.send(message.frame);
        sent.add(link);
      }
    }
    for (const link of sent) link.flush();
  }

  /** Ends all of them at once: the page goes. */
  drop(): void {
    this._waiting.clear();
    for (const [number, link] of [...this._links]) {
      link.drop();
      this._hear({ type: "LinkClosed", link: number, reason: "closed" });
    }
  }

  private async _offer(number: number): Promise<void> {
    this._waiting.add(number);
    await this._opening;
    if (this._waiting.delete(number)) this._open(number)?.offer();
  }

  private _open(number: number): RtcLink | undefined {
    try {
      const link = new RtcLink(number, this._options(), this._stopwatch, (input) => {
        this._hear(input);
      });
      this._links.set(number, link);
      return link;
    } catch {
      // Chromium refuses the 501st connection of a tab.
      this._tell({ type: "LinkClosed", link: number, reason: "failed" });
      return undefined;
    }
  }

  private _hear(input: Input): void {
    if (input.type === "LinkClosed") this._links.delete(input.link);
    this._tell(input);
  }
}
