// One of a few: radio buttons that look like one control.

import { make } from "./dom.js";

let made = 0;

/** A control named `label` for `options` ([value, text], …); calls `chose(value)`. `set(value, open)` marks one; `open` lists what can be chosen. */
export function choiceOf(label, options, chose) {
  const name = `choice-${++made}`;
  const inputs = options.map(([value]) => make("input", { type: "radio", name, value, onchange: () => chose(value) }));
  const labels = options.map(([, text], at) => make("label", {}, inputs[at], text));
  const node = make("fieldset", {}, make("legend.unseen", {}, label), make("div.switch", {}, labels));
  const set = (value, open = null) => {
    for (const input of inputs) {
      input.checked = input.value === value;
      input.disabled = open !== null && !open.includes(input.value);
    }
  };
  return { node, set };
}
