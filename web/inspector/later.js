// What is not needed to see the list comes when it is asked for, so that the page itself stays light.
import { html, signal } from './ui.js';

/** A component in the place of the one that `load` answers. */
export function later(load) {
  const component = signal(null);
  let asked = false;
  return (props) => {
    if (!asked) {
      asked = true;
      load().then(
        (loaded) => (component.value = loaded),
        () => (asked = false),
      );
    }
    return component.value ? html`<${component.value} ...${props} />` : null;
  };
}
