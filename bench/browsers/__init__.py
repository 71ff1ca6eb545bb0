"""p2pcdn, p2p-media-loader and plain hls.js in real browsers, measured in one run.

::

    Chromium --- page, hls.js ---> site            (another port; not counted)
       |  ...  one context a viewer
       +-------- media, manifests, ---> proxy ---> p2pcdn serve      counted at the socket
       |         snippet, tracker
       +-------- announcements -------> proxy ---> p2p-media-loader's tracker, counted apart

All contestants have the same film, browser, flags, hls.js and settings of hls.js. Every byte that
leaves the origin's port counts, whatever it is for. Each scene of each contestant has a browser, a
server and a tracker of its own, and rounds take turns, so what disturbs the machine disturbs all.
"""
