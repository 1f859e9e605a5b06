"use strict";
// Shows what the portal pushes; runs also while no page of it is open.
self.addEventListener("push", (event) => {
  const said = event.data ? event.data.json() : {};
  const actions = said.acknowledge_url ? [{ action: "acknowledge", title: "Acknowledge" }] : [];
  event.waitUntil(
    self.registration.showNotification(said.title || "SRE portal", {
      body: said.body || "",
      // The same message again takes the place of the first.
      tag: said.key || "",
      renotify: Boolean(said.key),
      requireInteraction: true,
      data: { url: said.url || "/", acknowledge: said.acknowledge_url || "" },
      actions,
    }),
  );
});
self.addEventListener("notificationclick", (event) => {
  const { url, acknowledge } = event.notification.data;
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.action === "acknowledge" ? acknowledge : url));
});
