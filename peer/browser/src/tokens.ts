/**
 * Join tokens: where they come from, and the proof that their key is ours.
 *
 *     page --thumbprint--> the site's back end --token--> page --token, proof--> tracker
 *
 * The key is made when it is first needed, for this page alone; its secret half never leaves
 * WebCrypto, so neither a script nor an extension can carry it away.
 */

import { utf8 } from "./model";
import { sayOnce } from "./say";
import { toBase64 } from "./wire/manifest";
import type { Credentials } from "./wire/tracker";

/** Milliseconds that a back end may take: the tracker waits five seconds for a join. */
const TIMEOUT = 4_000;

const EC = { name: "ECDSA", namedCurve: "P-256" };
const ES256 = { name: "ECDSA", hash: "SHA-256" };

/** What a token is asked for. */
export interface TokenRequest {
  /** Of this page's key (RFC 7638): what the token's `cnf.jkt` has to be. */
  readonly thumbprint: string;
  readonly site: string;
  /** The content's id. */
  readonly content: string;
  /** The path of what the player plays, as in `/media/show/master.m3u8`, if it is our end point's. */
  readonly url: string | undefined;
  /** The native peer on the viewer's machine that is to join; none: the page itself. */
  readonly client?: "native";
}

/** A token, or a function that gets one each time it is asked. */
export type TokenSource = string | ((request: TokenRequest) => string | Promise<string>);

/** A source that asks a back end, by POST, and takes what it answers for the token. */
export function tokensFrom(url: string): TokenSource {
  return async (request) => {
    // Not `AbortSignal.timeout`: Safari has that since 16 only.
    const controller = new AbortController();
    const timer = setTimeout(() => {
      controller.abort(new Error(`${url} has not answered in ${TIMEOUT / 1_000} s`));
    }, TIMEOUT);
    try {
      const response = await fetch(new URL(url, location.href), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request),
        signal: controller.signal,
      });
      if (!response.ok) throw new Error(`${url} answers ${response.status}`);
      return await response.text();
    } finally {
      clearTimeout(timer);
    }
  };
}

let pair: Promise<CryptoKeyPair> | undefined;

function keys(): Promise<CryptoKeyPair> {
  pair ??= crypto.subtle.generateKey(EC, false, ["sign"]);
  return pair;
}

async function coordinates(): Promise<{ x: string; y: string }> {
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", (await keys()).publicKey);
  return { x, y };
}

/** The thumbprint of this page's key (RFC 7638), to which a token can be bound. */
export async function thumbprint(): Promise<string> {
  const { x, y } = await coordinates();
  return digest(JSON.stringify({ crv: "P-256", kty: "EC", x, y }));
}

/** A token and its proof for the tracker that gave `nonce`; nothing if no token is to be had. */
export async function prove(
  source: TokenSource | undefined,
  request: Omit<TokenRequest, "thumbprint">,
  nonce: string,
): Promise<Credentials | undefined> {
  try {
    if (!source) return undefined;
    const ours = { ...request, thumbprint: await thumbprint() };
    const token = (typeof source === "string" ? source : await source(ours)).trim();
    if (!/^[\w.-]{1,1024}$/.test(token)) throw new Error("what came is no token");
    const { site, content, url = null } = request;
    const said = `p2pcdn join v1\n${nonce}\n${site}\n${content}\n${await digest(token)}\n`;
    const { privateKey } = await keys();
    const signature = await crypto.subtle.sign(ES256, privateKey, utf8(said));
    const proof = { key: await coordinates(), signature: toBase64(new Uint8Array(signature)) };
    return { token, proof, url };
  } catch (error) {
    sayOnce(`there is no join token: ${error instanceof Error ? error.message : String(error)}.`);
    return undefined;
  }
}

async function digest(text: string): Promise<string> {
  return toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(text))));
}
