// What a browser is called, and what it keeps for all its tabs; one that stores nothing does without.
const orNull = (act) => {
  try {
    return act();
  } catch {
    return null;
  }
};
const secret = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};
const VISITOR = "studio:visitor-id";
const INPUTS = "studio:inputs:";
const MOST_INPUTS = 20;
const browser = (window.studioBrowser ||= {
  visit: secret(),
  called: null,
  // The name that the server gave this browser when browsers did not name themselves.
  known: (visitor) => {
    if (!visitor) return;
    browser.called = visitor;
    orNull(() => localStorage.setItem(VISITOR, visitor));
  },
  visitor: () => {
    const stored = () => orNull(() => localStorage.getItem(VISITOR));
    if (!browser.called && !stored()) orNull(() => localStorage.setItem(VISITOR, secret()));
    // Of two tabs that named the browser at once one was too early; what was stored last holds for both.
    browser.called = stored() || browser.called || secret();
    return browser.called;
  },
  // With whatever is sent, so that all that is begun has an owner, in every tab the same.
  named: (where) => ({ ...where, visit: browser.visit, visitor: browser.visitor() }),
  // What the inputs held in each project, the one that was changed last at the end.
  memories: () => {
    const names = orNull(() => Object.keys(localStorage)) || [];
    const found = names
      .filter((name) => name.startsWith(INPUTS))
      .map((name) => [name.slice(INPUTS.length), orNull(() => JSON.parse(localStorage.getItem(name))) || {}]);
    return Object.fromEntries(found.sort(([, one], [, other]) => (one.at || 0) - (other.at || 0)));
  },
  // A project has a place of its own, so that no tab writes over what another one keeps.
  remember: (memory) => {
    for (const [project, entry] of Object.entries(memory)) {
      orNull(() => localStorage.setItem(INPUTS + project, JSON.stringify({ ...entry, at: Date.now() })));
    }
    for (const project of Object.keys(browser.memories()).slice(0, -MOST_INPUTS)) {
      localStorage.removeItem(INPUTS + project);
    }
  },
});
