"use strict";
// Says on the page why a security key did not work; django-allauth's script only tells the console.
// Loaded after that script, so that the buttons are given free when it listens to them.
(() => {
  const UNKNOWN = "The browser could not use the security key. Try again, or use a code.";
  const SAID = {
    AbortError: "The security key was not used in time. Try again.",
    InvalidStateError: "This key is here already. Use another one.",
    NotAllowedError: "The key was not accepted, or nobody touched it in time. Try again, or use a code.",
    SecurityError: "Security keys need a host name: open the portal by its name (on this machine localhost), not by a number.",
  };
  const reason = (exception) => {
    if (!window.PublicKeyCredential) return "Security keys need HTTPS, or localhost, and a browser that knows them.";
    return SAID[exception?.name] || UNKNOWN;
  };
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("button[id^=mfa_webauthn_]")) button.disabled = false;
  });
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const item = document.createElement("li");
    item.className = "message message-error";
    const text = document.createElement("span");
    text.textContent = reason(event.detail.exception);
    item.append(text);
    const list = document.createElement("ul");
    list.className = "messages";
    list.append(item);
    const place = document.getElementById("messages");
    place.replaceChildren(list);
    place.scrollIntoView({ block: "nearest" });
  });
})();
