// The button for light, dark, or the system's colours.

const KEY = "realtime.theme";
const THEMES = ["auto", "light", "dark"];
const NAMES = { auto: "as the system", light: "light", dark: "dark" };

/** Make a button switch the colours; `onChange` is called when they have changed. */
export function initThemeSwitch(button, onChange) {
  const root = document.documentElement;
  const show = () => {
    const theme = root.dataset.theme ?? "auto";
    button.setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
    button.title = `Colours: ${NAMES[theme]} (t)`;
  };
  const switchTheme = () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (next === "auto") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // Storage is not available: the choice lasts as long as the page.
    }
    show();
    onChange();
  };
  button.addEventListener("click", switchTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  show();
  return switchTheme;
}
