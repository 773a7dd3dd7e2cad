// Before the first paint: the colours that were chosen here last, so that nothing flashes.
"use strict";
try {
  const theme = localStorage.getItem("realtime.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing: the system's colours.
}
