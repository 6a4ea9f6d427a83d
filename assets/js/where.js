// The open project lives in the address, so that a reload or a bookmark comes back to it. So does what was
// typed for it and not yet used.
const draft = (project) => `studio:draft:${project}`;
const write = (text) => {
  const box = document.querySelector("#prompt textarea");
  if (!box || box.value === text) return;
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
};
let was = null;
let newest = { turn: 0 };
const draw = () => {
  const { project = "", head = "", turn = 0, left, moved = false, arrived = false } = props.value || {};
  // An answer to a question from before the person's last step: stay where they are, and draw it all again.
  const elsewhere = !moved && turn === newest.turn && turn > 0 && project !== (newest.project || "");
  if (turn < newest.turn || elsewhere) {
    props.value = { ...newest, stamps: {} };
    return;
  }
  newest = props.value || newest;
  const address = new URL(location.href);
  const before = address.searchParams.get("project") || "";
  if (was && was.project === project && (was.head !== head || was.arrived) && left !== undefined) {
    if (left) sessionStorage.setItem(draft(project), left);
    else sessionStorage.removeItem(draft(project));
  }
  if (was || project) was = { project, head, arrived };
  if (before === project) return;
  const typed = sessionStorage.getItem(draft(before));
  const kept = sessionStorage.getItem(draft(project));
  const taken = !before && project && typed && kept === null;
  if (taken) sessionStorage.setItem(draft(project), typed);
  sessionStorage.removeItem(draft(""));
  if (project) address.searchParams.set("project", project);
  else address.searchParams.delete("project");
  history.replaceState(history.state, "", address);
  if (!taken) write(kept || "");
};
watch("value", draw);
