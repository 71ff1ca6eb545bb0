// p2p-media-loader as one script for a page: its engine becomes a global.

import { HlsJsP2PEngine } from "p2p-media-loader-hlsjs";

window.HlsJsP2PEngine = HlsJsP2PEngine;
