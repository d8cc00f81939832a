/** Light or dark: as the system says, unless the reader chose the other. */

import { loadSetting, saveSetting } from "./store.js";

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function system() {
  return systemDark.matches ? "dark" : "light";
}

function current() {
  return document.documentElement.dataset.theme ?? system();
}

/** @param {string | null} theme null follows the system */
function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** @param {HTMLElement} button */
export function themeToggle(button) {
  const label = () => {
    const other = current() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Switch to the ${other} theme`);
    button.title = `Switch to the ${other} theme`;
  };
  button.addEventListener("click", () => {
    const other = current() === "dark" ? "light" : "dark";
    const choice = other === system() ? null : other;
    saveSetting("theme", choice);
    apply(choice);
    label();
  });
  systemDark.addEventListener("change", label);
  label();
}

// On import, before the first paint.
apply(loadSetting("theme"));
