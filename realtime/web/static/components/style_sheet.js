// Styles of views that are loaded when they are opened.

/** Load a style sheet once, by its address relative to the module's; resolves when it applies. */
export function loadSheet(path, base) {
  const href = new URL(path, base).href;
  const known = [...document.querySelectorAll('link[rel="stylesheet"]')].find((link) => link.href === href);
  if (known) return Promise.resolve();
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  return new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve); // unstyled is better than nothing
    document.head.append(link);
  });
}
