// Nothing to be seen: what the inputs hold now is kept in the browser.
watch("value", () => browser.remember(props.value || {}));
