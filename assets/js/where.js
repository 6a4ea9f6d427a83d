// The open project lives in the address, so that a reload or a bookmark comes back to it. So does what was
// typed for it and not yet used.
const draft = (project) => `studio:draft:${project}`;
let was = null;
let newest = { turn: 0 };
const draw = () => {
  const { project = "", head = "", turn = 0, left } = props.value || {};
  // An answer to a question from before the person's last step: stay where they are, and draw it all again.
  if (turn < newest.turn) {
    props.value = { ...newest, stamps: {} };
    return;
  }
  newest = props.value || newest;
  const address = new URL(location.href);
  const before = address.searchParams.get("project") || "";
  if (was && was.project === project && was.head !== head && left !== undefined) {
    if (left) sessionStorage.setItem(draft(project), left);
    else sessionStorage.removeItem(draft(project));
  }
  if (was || project) was = { project, head };
  if (before === project) return;
  const typed = sessionStorage.getItem(draft(before));
  if (!before && project && typed) sessionStorage.setItem(draft(project), typed);
  sessionStorage.removeItem(draft(""));
  if (project) address.searchParams.set("project", project);
  else address.searchParams.delete("project");
  history.replaceState(history.state, "", address);
};
watch("value", draw);
