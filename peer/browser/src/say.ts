/** The one voice of the snippet: a line on the console, once a matter, and never an error. */

const said = new Set<string>();

export function sayOnce(sentence: string): void {
  if (said.has(sentence)) return;
  said.add(sentence);
  // eslint-disable-next-line no-console -- the only place that may
  console.info(`p2pcdn: ${sentence}`);
}
