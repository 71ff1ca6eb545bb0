// Opens a page in Firefox and waits for an expression to be true:
//   node firefox.mjs FIREFOX URL SECONDS EXPRESSION   prints the page's probe and stats as JSON.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../peer/browser/package.json", import.meta.url));
const { default: puppeteer } = await import(require.resolve("puppeteer-core"));

const [executablePath, url, seconds, expression] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  extraPrefsFirefox: { "media.autoplay.default": 0 },
});
try {
  const page = await browser.newPage();
  await page.goto(url);
  let failure = null;
  try {
    await page.waitForFunction(expression, { timeout: Number(seconds) * 1000, polling: 100 });
  } catch (error) {
    failure = String(error);
  }
  const seen = await page.evaluate(() => ({
    probe: window.probe,
    stats: window.p2pcdn?.getStats() ?? null,
  }));
  console.log(JSON.stringify({ ...seen, failure }));
} finally {
  await browser.close();
}
