() => {
  // Keys, and a prompt that survives a reload.
  const typing = (node) => node.closest && node.closest("input, textarea, select, [contenteditable]");
  const takesSpace = (node) => node.closest && node.closest("button, summary, select, textarea, [contenteditable], [role], input:not([type=range])");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      document.querySelector("#search")?.click();
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && !event.shiftKey && !takesSpace(event.target)) {
      const play = document.querySelector("#player .toggle");
      if (!play?.checkVisibility()) return;
      event.preventDefault(); // the page would scroll
      if (!event.repeat) play.click();
      return;
    }
    if (typing(event.target)) return;
    if (/^[1-8]$/.test(event.key)) {
      document.querySelectorAll("#stage:not(.film-first) .gallery:not([hidden]) .take[role=option]")[Number(event.key) - 1]?.click();
    }
  });
  const shade = localStorage.getItem("studio:shade");
  if (shade) document.body.classList.toggle("dark", shade === "dark");
  const key = () => `studio:draft:${new URL(location.href).searchParams.get("project") || ""}`;
  const box = () => document.querySelector("#prompt textarea");
  document.addEventListener("input", (event) => {
    if (event.target === box()) sessionStorage.setItem(key(), event.target.value);
  });
  const restore = () => {
    const draft = sessionStorage.getItem(key());
    const field = box();
    if (!field) return setTimeout(restore, 100);
    const search = document.querySelector("#search");
    search.title = "Ctrl + Enter";
    search.setAttribute("aria-keyshortcuts", "Control+Enter");
    if (draft && !field.value) {
      field.value = draft;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  restore();
}
