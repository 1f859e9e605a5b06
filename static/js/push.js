"use strict";
// Lets a person be called by the browser they are looking at.
(() => {
  const form = document.getElementById("browser-form");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const note = form.querySelector("[role=status]");
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const NAMES = [["Firefox/", "Firefox"], ["Edg/", "Edge"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];
  const name = () => (NAMES.find(([mark]) => navigator.userAgent.includes(mark)) || ["", "Browser"])[1];
  const subscribe = async () => {
    const { worker, key } = form.dataset;
    if ((await Notification.requestPermission()) !== "granted") {
      throw new Error("The browser does not allow notifications of this portal: allow them beside its address.");
    }
    await navigator.serviceWorker.register(worker);
    const registration = await navigator.serviceWorker.ready;
    // One of an older key of the portal would be refused.
    await (await registration.pushManager.getSubscription())?.unsubscribe();
    const subscription = await registration.pushManager.subscribe({
      userVisibleOnly: true, applicationServerKey: bytes(key),
    });
    form.elements.subscription.value = JSON.stringify(subscription);
    form.elements.label.value = `${name()} on ${navigator.platform || "this device"}`;
  };
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.subscription.value) return;
    event.preventDefault();
    note.textContent = "Asking the browser…";
    try {
      await subscribe();
    } catch (error) {
      note.textContent = error.message || "The browser could not subscribe.";
      return;
    }
    form.requestSubmit();
  });
})();
