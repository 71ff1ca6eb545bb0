/** What to do where nobody has watched anything yet. */

import { Component } from "preact";
import type { JSX } from "preact";

export class FirstSteps extends Component<{ site: string }, { copied: boolean }> {
  override state = { copied: false };

  override render({ site }: { site: string }): JSX.Element {
    const tag = `<script defer src="${location.origin}/p2pcdn.js" data-site="${site}"></script>`;
    return (
      <section class="card steps" aria-labelledby="steps-title">
        <h2 id="steps-title">Nobody has watched anything yet</h2>
        <ol>
          <li>
            Put this tag on the page that plays your video, after hls.js:
            <div class="code">
              <pre tabIndex={0} aria-label="The tag"><code id="tag">{tag}</code></pre>
              <button type="button" onClick={() => void this.copy(tag)}>
                {this.state.copied ? "Copied" : "Copy"}
              </button>
            </div>
          </li>
          <li>Open the page in two windows, and let both play.</li>
          <li>Within two seconds they are counted here.</li>
        </ol>
      </section>
    );
  }

  private async copy(tag: string): Promise<void> {
    // Where the page is not secure, there is no clipboard: the tag can be marked by hand.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    await clipboard?.writeText(tag).then(
      () => { this.setState({ copied: true }); },
      () => undefined,
    );
  }
}
