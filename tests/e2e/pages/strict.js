// What goes against the page's policy, and which globals come after us.
probe.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  probe.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
window.player = window.Hls && startPlayer(window.Hls, document.currentScript.dataset.media);
probe.globals = Object.getOwnPropertyNames(window);
