/**
 * Copy, and say so on the button for a moment.
 *
 * @param {HTMLElement} button
 * @param {string} text
 */
export async function copyFrom(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers keep their clipboard for secure origins; a page on a home network is none.
    copySelected(button, text);
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}

/**
 * @param {HTMLElement} beside what is outside an open dialog cannot be selected
 * @param {string} text
 */
function copySelected(beside, text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  beside.after(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  beside.focus();
}
