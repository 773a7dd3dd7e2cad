// Before the first paint: the colours chosen last, so that the page does not flash.
"use strict";
try {
  const theme = localStorage.getItem("realtime.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is not available: the system's colours.
}
